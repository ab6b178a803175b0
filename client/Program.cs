using PixelCnnCluster.Client;

return await Commands.RunAsync(args);
