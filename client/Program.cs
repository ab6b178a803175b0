Console.WriteLine("console");
