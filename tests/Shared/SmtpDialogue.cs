using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Postrider.Testing;

/// <summary>A client of SMTP that says exactly what the test says, octet by octet, and shows what comes back.</summary>
public sealed class SmtpDialogue : IAsyncDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    readonly Socket _socket;
    Stream _stream;
    readonly List<byte> _unread = [];

    SmtpDialogue(Socket socket)
    {
        _socket = socket;
        _stream = new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>Connects; the greeting is not read yet.</summary>
    public static async Task<SmtpDialogue> ConnectAsync(int port, bool implicitTls = false)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        var dialogue = new SmtpDialogue(socket);
        if (implicitTls)
            await dialogue.EncryptAsync();
        return dialogue;
    }

    /// <summary>Connects, reads the greeting and says EHLO.</summary>
    public static async Task<SmtpDialogue> GreetedAsync(int port)
    {
        var dialogue = await ConnectAsync(port);
        await dialogue.ReadAsync();
        await dialogue.AskAsync("EHLO client.test");
        return dialogue;
    }

    /// <summary>Sends text as it is; characters above 127 as UTF-8.</summary>
    public async Task SayAsync(string text)
    {
        await _stream.WriteAsync(Encoding.UTF8.GetBytes(text));
        await _stream.FlushAsync();
    }

    /// <summary>Sends one line and reads one reply.</summary>
    public async Task<string> AskAsync(string command)
    {
        await SayAsync(command + "\r\n");
        return await ReadAsync();
    }

    /// <summary>Sends text as it is and reads so many replies.</summary>
    public async Task<string[]> AskAsync(string text, int replies)
    {
        await SayAsync(text);
        var answers = new string[replies];
        for (var i = 0; i < replies; i++)
            answers[i] = await ReadAsync();
        return answers;
    }

    /// <summary>One reply, its lines joined by LF; empty when the server has hung up.</summary>
    public async Task<string> ReadAsync()
    {
        var reply = new StringBuilder();
        while (true)
        {
            if (await ReadLineAsync() is not { } line)
                return "";
            reply.Append(line);
            if (line.Length < 4 || line[3] != '-')
                return reply.ToString();
            reply.Append('\n');
        }
    }

    /// <summary>True when the server closes without another word.</summary>
    public async Task<bool> IsClosedAsync()
    {
        try
        {
            return await ReadLineAsync() is null;
        }
        catch (IOException)
        {
            return true;
        }
    }

    public async Task EncryptAsync()
    {
        var secure = new SslStream(_stream, leaveInnerStreamOpen: false);
        await secure.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            // Whose certificate it is matters to other tests: the server's may be self-signed.
            RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null,
        });
        _stream = secure;
    }

    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    async Task<string?> ReadLineAsync()
    {
        using var limit = new CancellationTokenSource(Patience, TimeProvider.System);
        var buffer = new byte[4096];
        while (true)
        {
            var end = _unread.IndexOf((byte)'\n');
            if (end >= 0)
            {
                var line = Encoding.UTF8.GetString([.. _unread[..end]]).TrimEnd('\r');
                _unread.RemoveRange(0, end + 1);
                return line;
            }
            var read = await _stream.ReadAsync(buffer, limit.Token);
            if (read == 0)
                return null;
            _unread.AddRange(buffer.AsSpan(0, read));
        }
    }
}
