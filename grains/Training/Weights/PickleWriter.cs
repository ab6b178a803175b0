using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.Pickles;

namespace PixelCnnCluster.Training.Weights;

/// <summary>
/// Writes what `torch.save` writes for a state_dict of float32 tensors: an OrderedDict by name, each tensor with a storage of its own.
/// </summary>
internal sealed class PickleWriter
{
    private readonly ArrayBufferWriter<byte> _pickle = new();

    /// <summary>The tensor at position i lies in the archive's storage i.</summary>
    public static byte[] Write(IReadOnlyList<(string Name, SafeTensor Tensor)> tensors)
    {
        var writer = new PickleWriter();
        writer.Put(PickleCode.Protocol);
        writer._pickle.Write<byte>([2]);
        writer.OrderedDictionary();
        writer.Put(PickleCode.Mark);
        for (int i = 0; i < tensors.Count; i++)
        {
            writer.Text(tensors[i].Name);
            writer.Tensor(i, tensors[i].Tensor.Shape);
        }

        writer.Put(PickleCode.SetItems);
        writer.Put(PickleCode.Stop);
        return writer._pickle.WrittenSpan.ToArray();
    }

    /// <summary>torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)</summary>
    private void Tensor(int storage, long[] shape)
    {
        long[] strides = [.. shape.Select((_, d) => Product(shape[(d + 1)..]))];
        Global("torch._utils", "_rebuild_tensor_v2");
        Put(PickleCode.Mark);
        Put(PickleCode.Mark);
        Text("storage");
        Global("torch", "FloatStorage");
        Text(storage.ToString(CultureInfo.InvariantCulture));
        Text("cpu");
        Number(Product(shape));
        Put(PickleCode.Tuple);
        Put(PickleCode.PersistentId);
        Number(0);
        Numbers(shape);
        Numbers(strides);
        Put(PickleCode.False);
        OrderedDictionary();
        Put(PickleCode.Tuple);
        Put(PickleCode.Reduce);

        static long Product(long[] sides) => sides.Aggregate(1L, (product, side) => product * side);
    }

    private void OrderedDictionary()
    {
        Global("collections", "OrderedDict");
        Put(PickleCode.EmptyTuple);
        Put(PickleCode.Reduce);
    }

    private void Global(string module, string name)
    {
        Put(PickleCode.Global);
        _pickle.Write(Encoding.ASCII.GetBytes($"{module}\n{name}\n"));
    }

    private void Numbers(long[] numbers)
    {
        Put(PickleCode.Mark);
        foreach (long number in numbers)
            Number(number);
        Put(PickleCode.Tuple);
    }

    private void Number(long number)
    {
        Put(PickleCode.Int32);
        Int32(checked((int)number));
    }

    private void Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Put(PickleCode.Text);
        Int32(bytes.Length);
        _pickle.Write(bytes);
    }

    private void Int32(int number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, number);
        _pickle.Write(bytes);
    }

    private void Put(PickleCode code) => _pickle.Write<byte>([(byte)code]);
}
