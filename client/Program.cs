using PixelCnnCluster.Client;
using PixelCnnCluster.Client.Shell;

OwnFiles.KeepPrivate();
return await Commands.RunAsync(args);
