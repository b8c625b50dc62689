using System.Net.Sockets;
using System.Text;

namespace Postrider.EndToEnd.Api;

/// <summary>Requests byte by byte, as no client would write them.</summary>
static class RawHttp
{
    /// <summary>Everything the server answers until it closes the connection or has been silent for half a second; read while the parts are
    /// being written.</summary>
    public static async Task<string> SendAsync(Uri address, params IReadOnlyList<string> parts)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(address.Host, address.Port);
        var stream = socket.GetStream();
        var writing = WriteAsync(stream, parts);
        var answer = await ReadAsync(stream);
        socket.Close();
        await writing;
        return answer;
    }

    static async Task WriteAsync(NetworkStream stream, IReadOnlyList<string> parts)
    {
        try
        {
            foreach (var part in parts)
                await stream.WriteAsync(Encoding.Latin1.GetBytes(part));
        }
        catch (IOException)
        {
            // It refused and does not read the rest.
        }
        catch (ObjectDisposedException)
        {
            // The answer was there first.
        }
    }

    static async Task<string> ReadAsync(NetworkStream stream)
    {
        var answer = new StringBuilder();
        var buffer = new byte[16 * 1024];
        try
        {
            while (true)
            {
                using var patience = new CancellationTokenSource(
                    answer.Length == 0 ? TimeSpan.FromSeconds(10) : TimeSpan.FromMilliseconds(500));
                var read = await stream.ReadAsync(buffer, patience.Token);
                if (read == 0)
                    break;
                answer.Append(Encoding.Latin1.GetString(buffer, 0, read));
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // Reset, or silent.
        }
        return answer.ToString();
    }
}
