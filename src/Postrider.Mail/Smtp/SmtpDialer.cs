using System.Net;
using System.Net.Sockets;

namespace Postrider.Mail.Smtp;

/// <summary>Makes the TCP connection: looks the host up and tries its addresses in turn within one time limit.</summary>
static class SmtpDialer
{
    public static async ValueTask<Socket> ConnectAsync(SmtpEndpoint endpoint, TimeSpan limit, TimeProvider clock, CancellationToken ct)
    {
        using var deadline = new CancellationTokenSource(limit, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        try
        {
            var addresses = IPAddress.TryParse(endpoint.Host, out var literal)
                ? [literal]
                : await System.Net.Dns.GetHostAddressesAsync(endpoint.Host, either.Token);
            if (endpoint.MayConnect is { } may && Array.Find(addresses, address => !may(address)) is { } refused)
                throw Failed(endpoint, $"it leads to {refused}, where it may not lead");
            for (var i = 0; ; i++)
            {
                if (i >= addresses.Length)
                    throw Failed(endpoint, "the name has no address");
                // An address that swallows packets must leave time for the ones after it.
                var isLast = i == addresses.Length - 1;
                try
                {
                    return await ConnectAsync(addresses[i], endpoint.Port, isLast ? limit : limit / addresses.Length, clock, either.Token);
                }
                catch (Exception fault) when (!isLast && fault is SocketException or TimeoutException)
                {
                    continue;
                }
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            throw new SmtpChannelException(SmtpPhase.Connect, SmtpFailureKind.Cancelled, $"cancelled while connecting to {endpoint}");
        }
        catch (Exception fault) when (fault is OperationCanceledException or TimeoutException)
        {
            var text = $"no connection to {endpoint} within {limit.TotalSeconds:0} s";
            throw new SmtpChannelException(SmtpPhase.Connect, SmtpFailureKind.Timeout, text, fault);
        }
        catch (SocketException fault)
        {
            throw Failed(endpoint, fault.Message, fault);
        }
    }

    static async ValueTask<Socket> ConnectAsync(IPAddress address, int port, TimeSpan limit, TimeProvider clock, CancellationToken ct)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            // The connect itself takes a token; WaitAsync would leave it running behind our back.
            using var own = new CancellationTokenSource(limit, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, own.Token);
            try
            {
                await socket.ConnectAsync(new IPEndPoint(address, port), either.Token);
            }
            catch (OperationCanceledException fault) when (!ct.IsCancellationRequested)
            {
                throw new TimeoutException($"no answer from {address}", fault);
            }
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    static SmtpChannelException Failed(SmtpEndpoint endpoint, string reason, Exception? inner = null)
        => new(SmtpPhase.Connect, SmtpFailureKind.ConnectFailed, $"cannot connect to {endpoint}: {reason}", inner);
}
