using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Orleans.Configuration;
using Orleans.Connections.Security;
using PixelCnnCluster.Exchange.Handshakes;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Silo;

/// <summary>Orleans' connections under TLS: at the gate while their peers have not shown who they are, and watched afterwards.</summary>
internal static class SecuredConnections
{
    public static void Use(ISiloBuilder silo, ClusterCertificates certificates)
    {
        // In the order in which a connection passes them.
        silo.Configure<SiloConnectionOptions>(options =>
        {
            options.ConfigureSiloInboundConnection(EnterGate);
            options.ConfigureGatewayInboundConnection(EnterGate);
        });
        silo.UseTls(certificates.Secure);
        silo.Configure<SiloConnectionOptions>(options =>
        {
            options.ConfigureSiloInboundConnection(connection => Watch(connection, certificates));
            options.ConfigureGatewayInboundConnection(connection => Watch(connection, certificates));
            options.ConfigureSiloOutboundConnection(connection => Watch(connection, certificates));
        });
    }

    private static void EnterGate(IConnectionBuilder builder)
    {
        HandshakeGate gate = builder.ApplicationServices.GetRequiredService<HandshakeGate>();
        builder.Use(next => async context =>
        {
            using var handshake = new Handshake(gate, context);
            context.Features.Set(handshake);
            IDuplexPipe direct = context.Transport;
            context.Transport = handshake;
            try
            {
                await next(context);
            }
            finally
            {
                context.Transport = direct;
            }
        });
    }

    private static void Watch(IConnectionBuilder builder, ClusterCertificates certificates) => builder.Use(next => async context =>
    {
        context.Features.Get<Handshake>()?.Dispose();
        // Away from the thread of the handshakes.
        await Task.Yield();
        using IDisposable standing = certificates.Watch(
            context.Features.Get<ITlsConnectionFeature>()!.RemoteCertificate!, () => context.Abort());
        await next(context);
    });

    /// <summary>What a connection is read by: until this is disposed of, what comes after a read goes on on the gate's thread.</summary>
    private sealed class Handshake : PipeReader, IDuplexPipe, IDisposable
    {
        private readonly HandshakeGate _gate;
        private readonly IDuplexPipe _direct;
        private readonly IDisposable _visit;
        private volatile bool _isOver;

        public Handshake(HandshakeGate gate, ConnectionContext context)
        {
            _gate = gate;
            _direct = context.Transport;
            _visit = gate.Enter(context.RemoteEndPoint, () => context.Abort());
        }

        public PipeReader Input => this;

        public PipeWriter Output => _direct.Output;

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
        {
            ValueTask<ReadResult> read = _direct.Input.ReadAsync(cancellationToken);
            return _isOver ? read : _gate.GoOnApart(read);
        }

        public override bool TryRead(out ReadResult result) => _direct.Input.TryRead(out result);

        public override void AdvanceTo(SequencePosition consumed) => _direct.Input.AdvanceTo(consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) =>
            _direct.Input.AdvanceTo(consumed, examined);

        public override void CancelPendingRead() => _direct.Input.CancelPendingRead();

        public override void Complete(Exception? exception = null) => _direct.Input.Complete(exception);

        public override ValueTask CompleteAsync(Exception? exception = null) => _direct.Input.CompleteAsync(exception);

        public void Dispose()
        {
            _isOver = true;
            _visit.Dispose();
        }
    }
}
