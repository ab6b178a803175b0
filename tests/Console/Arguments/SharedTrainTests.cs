using PixelCnnCluster.Client.Arguments;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Arguments;

/// <summary>What changes when a run is for a shared cluster.</summary>
public sealed class SharedTrainTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Paths_are_the_silos_own_and_the_run_takes_as_many_workers_as_there_are()
    {
        TrainRequest request = Reading.Good("--cluster", "a:1", "-o", "runs/mine", "-i", "sets", "--shards", "16");

        Assert.Equal((new ClusterAddress("a:1"), "mine", false), (request.Cluster, request.Run, request.Detach));
        Assert.Equal(("runs/mine", "sets", 16), (request.Spec.Output.SaveDir, request.Spec.Data.DataDir, request.Spec.Compute.Workers));
        Assert.Equal(1024, Reading.Good("--cluster", "a:1", "--shards", "2000").Spec.Compute.Workers);
        Assert.Equal(2, Reading.Good("--cluster", "a:1", "--workers", "2").Spec.Compute.Workers);
        Assert.Equal("runs/20260102-030405-digits", Reading.Good("--cluster", "a:1").Spec.Output.SaveDir);
        Assert.True(Reading.Good("--cluster", "a:1", "--detach").Detach);
    }

    [Fact]
    public void The_environment_names_the_cluster_where_no_flag_does()
    {
        Assert.Equal(new ClusterAddress("a:1", "blue"), Reading.Read([], "a:1/blue").Request.Cluster);
        Assert.Equal(new ClusterAddress("b:2"), Reading.Read(["--cluster", "b:2"], "a:1/blue").Request.Cluster);
        Assert.Null(Reading.Read([], "").Request.Cluster);
        Mistake.AssertNames("PIXELCNN_CLUSTER", Assert.Single(Reading.Read([], "a").Mistakes));
    }

    [Fact]
    public void What_lies_on_this_machine_is_no_mistake_there()
    {
        Checkpoints.Write(_folder, 10, Presets.Quick);
        Directory.CreateDirectory(_folder.File("images"));

        Reading.Good("--cluster", "a:1", "-o", _folder.Path);
        Reading.Good("--cluster", "a:1", "-d", "folder", "-c", "-i", _folder.File("images"));
    }

    [Fact]
    public void A_checkpoint_that_this_machine_sees_brings_its_settings()
    {
        string path = Checkpoints.Write(_folder, 10, Presets.Quick with { Model = Presets.Quick.Model with { Filters = 24 } });

        RunSpec spec = Reading.Good("--cluster", "a:1", "-r", path).Spec;
        Assert.Equal((24, path, "runs/20260102-030405-digits"), (spec.Model.Filters, spec.Output.LoadParams, spec.Output.SaveDir));
        Assert.Equal(path, Reading.Good("--cluster", "a:1", "-r", _folder.Path).Spec.Output.LoadParams);
    }

    [Fact]
    public void A_checkpoint_that_it_does_not_see_is_loaded_with_settings_from_flags()
    {
        RunSpec spec = Reading.Good("--cluster", "a:1", "-r", "runs/mine/step-000000010.safetensors", "-d", "mnist").Spec;

        Assert.Equal(("runs/mine/step-000000010.safetensors", DataSet.Mnist), (spec.Output.LoadParams, spec.Data.DataSet));
    }
}
