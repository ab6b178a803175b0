using PixelCnnCluster.Model.Layers;

namespace PixelCnnCluster.Model;

/// <summary>Which operations a network consists of, and how they are joined. It is written once and walked by each interpreter.</summary>
internal interface INetworkTopology
{
    /// <returns>The features of each pixel, from which the head tells its colour.</returns>
    TValue Features<TValue>(NetworkShape shape, INetworkOperations<TValue> operations)
        where TValue : class;

    /// <returns>What the network says of each pixel.</returns>
    TValue Head<TValue>(NetworkShape shape, INetworkOperations<TValue> operations, TValue features)
        where TValue : class;
}

/// <summary>
/// PixelCNN++ (Salimans et al. 2017, arXiv 1701.05517). The vertical stream u sees the rows above a pixel, the horizontal stream ul
/// those and the pixels to its left. Both go up through three stages at full, half and quarter size and back down. Each value of the
/// up pass is a shortcut to a block of the down pass.
/// </summary>
internal sealed class PixelCnnTopology : INetworkTopology
{
    private const int Stages = 3;

    public TValue Features<TValue>(NetworkShape shape, INetworkOperations<TValue> operations)
        where TValue : class
    {
        NetworkStream vertical = NetworkStream.Vertical, horizontal = NetworkStream.Horizontal;
        TValue image = operations.Image();
        Stack<TValue> us = new(), uls = new();
        us.Push(operations.RowsAbove("u_init", image));
        uls.Push(operations.RowsAboveAndPixelToTheLeft("ul_init.0", "ul_init.1", image));
        for (int stage = 0; stage < Stages; stage++)
        {
            if (stage > 0)
            {
                us.Push(operations.Downsample($"downsize.{stage - 1}.u", vertical, us.Peek()));
                uls.Push(operations.Downsample($"downsize.{stage - 1}.ul", horizontal, uls.Peek()));
            }

            for (int i = 0; i < shape.Blocks; i++)
            {
                us.Push(operations.Block($"up.{stage}.u.{i}", vertical, us.Peek()));
                uls.Push(operations.Block($"up.{stage}.ul.{i}", horizontal, uls.Peek(), vertical: us.Peek()));
            }

            if (shape.NonLocal && stage > 0)
                uls.Push(operations.Attention($"non_local.{stage}", uls.Pop()));
        }

        TValue u = us.Pop(), ul = operations.BeginDownPass(uls.Pop());
        for (int stage = 0; stage < Stages; stage++)
        {
            if (stage > 0)
            {
                u = operations.Upsample($"upsize.{stage - 1}.u", vertical, u);
                ul = operations.Upsample($"upsize.{stage - 1}.ul", horizontal, ul);
            }

            // Each stage of the up pass has one value more than blocks: its first. The down pass begins at the last of all.
            int blocks = stage == 0 ? shape.Blocks : shape.Blocks + 1;
            for (int i = 0; i < blocks; i++)
            {
                u = operations.Block($"down.{stage}.u.{i}", vertical, u, across: us.Pop());
                ul = operations.Block($"down.{stage}.ul.{i}", horizontal, ul, vertical: u, across: uls.Pop());
            }
        }

        return ul;
    }

    public TValue Head<TValue>(NetworkShape shape, INetworkOperations<TValue> operations, TValue features)
        where TValue : class =>
        shape.EnergyDistance ? operations.EnergyHead("energy", features) : operations.MixtureHead("out", features);
}
