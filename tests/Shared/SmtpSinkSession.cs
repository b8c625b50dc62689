using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;

namespace Postrider.Testing;

/// <summary>One connection of a <see cref="SmtpSink"/>: the commands, the transaction, and the misbehaviour that was asked for.</summary>
sealed class SmtpSinkSession(SmtpSink sink, SmtpSinkOptions options, Socket socket, int number) : IDisposable
{
    readonly List<string> _recipients = [];
    readonly StringBuilder _replies = new();
    readonly MemoryStream _chunks = new();
    Stream _stream = new NetworkStream(socket, ownsSocket: true);
    SmtpSinkReader _reader = null!;
    bool _isEncrypted;
    bool _isOver;
    int _messages;
    string? _user;
    string? _reversePath;
    string _mailParameters = "";

    /// <summary>From outside: the connection dies now.</summary>
    public void Cut() => socket.Dispose();

    public void Dispose()
    {
        _chunks.Dispose();
        _stream.Dispose();
    }

    public async Task RunAsync()
    {
        try
        {
            await using (_stream)
            {
                if (options.Tls == SmtpSinkTls.Implicit)
                    await EncryptAsync();
                _reader = new SmtpSinkReader(_stream);
                Say(Override("banner") ?? "220 sink.test ESMTP");
                while (!_isOver)
                {
                    if (!_reader.HasLine)
                        await FlushAsync();
                    if (await _reader.ReadLineAsync() is not { } line)
                        return;
                    await AnswerAsync(Encoding.UTF8.GetString(line));
                }
                await FlushAsync();
            }
        }
        catch (Exception fault) when (fault is IOException or SocketException or ObjectDisposedException or AuthenticationException)
        {
            // The client hung up, did not like our certificate, or we were cut.
        }
    }

    async Task AnswerAsync(string line)
    {
        var verb = line.Split(' ')[0].ToUpperInvariant();
        if (Override(line) is { } other)
        {
            Say(other);
            _isOver = other.StartsWith("421", StringComparison.Ordinal);
            return;
        }
        switch (verb)
        {
            case "EHLO" when !options.HeloOnly:
                Reset();
                Say(Hello());
                break;
            case "HELO":
                Reset();
                Say("250 sink.test");
                break;
            case "STARTTLS" when options.Tls == SmtpSinkTls.StartTls && !_isEncrypted:
                Say("220 2.0.0 go ahead");
                await FlushAsync();
                await EncryptAsync();
                _reader = new SmtpSinkReader(_stream);
                Reset();
                break;
            case "AUTH":
                await AuthenticateAsync(line);
                break;
            case "MAIL":
                Mail(line);
                break;
            case "RCPT":
                Recipient(line);
                break;
            case "DATA":
                await DataAsync();
                break;
            case "BDAT" when options.Chunking:
                await ChunkAsync(line);
                break;
            case "RSET":
                Reset();
                Say("250 2.0.0 ok");
                break;
            case "NOOP":
                Say("250 2.0.0 ok");
                break;
            case "QUIT":
                Say("221 2.0.0 bye");
                _isOver = true;
                break;
            default:
                Say("502 5.5.1 unknown command");
                break;
        }
    }

    string Hello()
    {
        List<string> words = ["sink.test"];
        if (options.Pipelining)
            words.Add("PIPELINING");
        if (options.MaxMessageBytes is { } most)
            words.Add(most == 0 ? "SIZE" : $"SIZE {most}");
        if (options.EightBitMime)
            words.Add("8BITMIME");
        if (options.SmtpUtf8)
            words.Add("SMTPUTF8");
        if (options.Chunking)
            words.Add("CHUNKING");
        if (options.Dsn)
            words.Add("DSN");
        words.Add("ENHANCEDSTATUSCODES");
        if (options.Tls == SmtpSinkTls.StartTls && !_isEncrypted)
            words.Add("STARTTLS");
        if (options.Account is not null && (_isEncrypted || options.Tls == SmtpSinkTls.None))
            words.Add($"AUTH {options.AuthMechanisms}");
        return string.Join("\r\n", words.Select((word, i) => (i < words.Count - 1 ? "250-" : "250 ") + word));
    }

    async Task EncryptAsync()
    {
        var secure = new SslStream(_stream);
        await secure.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = options.Certificate });
        _stream = secure;
        _isEncrypted = true;
    }

    async Task AuthenticateAsync(string line)
    {
        if (options.Account is not { } account)
        {
            Say("503 5.5.1 no accounts here");
            return;
        }
        var words = line.Split(' ');
        var mechanism = words.Length > 1 ? words[1] : "";
        if (mechanism == "LOGIN")
        {
            var user = await AskAsync("334 VXNlcm5hbWU6");
            var password = await AskAsync("334 UGFzc3dvcmQ6");
            Judge(account, user, password);
            return;
        }
        var response = words.Length > 2 ? Decode(words[2]) : await AskAsync("334 ");
        if (mechanism == "PLAIN" && response.Split('\0') is [_, var name, var secret])
        {
            Judge(account, name, secret);
        }
        else if (mechanism == "XOAUTH2" && response == $"user={account.User}\u0001auth=Bearer {account.Password}\u0001\u0001")
        {
            Judge(account, account.User, account.Password);
        }
        else if (mechanism == "XOAUTH2")
        {
            await AskAsync("334 " + Convert.ToBase64String("""{"status":"401"}"""u8));
            Judge(account, "", "");
        }
        else
        {
            Say("504 5.5.4 unknown mechanism");
        }
    }

    void Judge((string User, string Password) account, string user, string password)
    {
        _user = account == (user, password) ? user : null;
        Say(_user is null ? "535 5.7.8 bad credentials" : "235 2.7.0 welcome");
    }

    async Task<string> AskAsync(string question)
    {
        Say(question);
        await FlushAsync();
        return await _reader.ReadLineAsync() is { } line ? Decode(Encoding.ASCII.GetString(line)) : "";
    }

    static string Decode(string base64) => base64 is "" or "=" ? "" : Encoding.UTF8.GetString(Convert.FromBase64String(base64));

    void Mail(string line)
    {
        if (options.Account is not null && _user is null)
        {
            Say("530 5.7.0 authentication required");
        }
        else if (_reversePath is not null)
        {
            Say("503 5.5.1 nested MAIL");
        }
        else if (_messages >= options.MaxMessagesPerConnection)
        {
            Say("421 4.7.0 too many messages on this connection");
            _isOver = true;
        }
        else
        {
            (_reversePath, _mailParameters) = Path(line, "MAIL FROM:<");
            Say("250 2.1.0 sender ok");
        }
    }

    void Recipient(string line)
    {
        var address = Path(line, "RCPT TO:<").Path;
        if (_reversePath is null)
        {
            Say("503 5.5.1 MAIL first");
            return;
        }
        var reply = Behaviour(address) switch
        {
            "defer" => "450 4.2.0 try again later",
            "greylist" => "450 4.7.1 greylisted, try again later",
            "full" => "452 4.2.2 mailbox full",
            "bounce" => "550 5.1.1 user unknown",
            "blocked" => "550 5.7.1 blocked by policy",
            "toomany" => "452 4.5.3 too many recipients",
            "closing" => "421 4.3.2 shutting down",
            _ => _recipients.Count >= options.MaxRecipients ? "452 4.5.3 too many recipients" : null,
        };
        if (reply is null)
            _recipients.Add(address);
        _isOver = reply is ['4', '2', '1', ..];
        Say(reply ?? "250 2.1.5 recipient ok");
    }

    async Task DataAsync()
    {
        if (_recipients is [])
        {
            Say("554 5.5.1 no valid recipients");
            return;
        }
        if (Wants("drop-at-data"))
        {
            await FlushAsync();
            Cut();
            return;
        }
        Say("354 end with CRLF.CRLF");
        await FlushAsync();
        if (Wants("drop-in-data"))
        {
            await _reader.ReadLineAsync();
            Cut();
            return;
        }
        using var content = new MemoryStream();
        while (await _reader.ReadLineAsync() is { } line)
        {
            if (line is [(byte)'.'])
            {
                await FinishAsync(content.ToArray(), chunked: false);
                return;
            }
            content.Write(line is [(byte)'.', ..] ? line.AsSpan(1) : line);
            content.Write("\r\n"u8);
        }
        _isOver = true;
    }

    async Task ChunkAsync(string line)
    {
        var words = line.Split(' ');
        if (await _reader.ReadBlockAsync(int.Parse(words[1], null)) is not { } block)
        {
            _isOver = true;
            return;
        }
        if (_recipients is [])
        {
            Say("554 5.5.1 no valid recipients");
            return;
        }
        if (Wants("drop-in-data") || Wants("drop-at-data"))
        {
            Cut();
            return;
        }
        _chunks.Write(block);
        if (words is [_, _, "LAST"])
            await FinishAsync(_chunks.ToArray(), chunked: true);
        else
            Say("250 2.0.0 chunk taken");
    }

    async Task FinishAsync(byte[] content, bool chunked)
    {
        if (Wants("slow"))
            await Task.Delay(options.Slow, options.Clock, CancellationToken.None);
        var silent = Wants("drop-after-dot") || Wants("never-answer");
        var reply = Override(".")
            ?? (Wants("defer-after-data") ? "451 4.3.0 try again later"
            : Wants("bounce-after-data") ? "554 5.7.1 content refused"
            : $"250 2.0.0 taken as {sink.Count + 1}");
        sink.Keep(new SinkMessage
        {
            Connection = number,
            ReversePath = _reversePath ?? "",
            MailParameters = _mailParameters,
            Recipients = [.. _recipients],
            Content = content,
            ArrivedAt = options.Clock.GetUtcNow(),
            Encrypted = _isEncrypted,
            User = _user,
            Chunked = chunked,
            Reply = silent ? null : reply,
        });
        _messages++;
        if (Wants("drop-after-dot"))
        {
            Cut();
        }
        else if (Wants("never-answer"))
        {
            while (await _reader.ReadLineAsync() is not null)
                continue;
            _isOver = true;
        }
        else
        {
            Reset();
            Say(reply);
        }
    }

    void Reset()
    {
        _reversePath = null;
        _recipients.Clear();
        _chunks.SetLength(0);
    }

    string? Override(string line) => options.Answer?.Invoke(line);

    bool Wants(string behaviour) => _recipients.Any(address => Behaviour(address) == behaviour);

    static string Behaviour(string address) => address.Split('@')[0].Split('+')[0];

    static (string Path, string Parameters) Path(string line, string before)
    {
        var end = line.LastIndexOf('>');
        return end < before.Length ? ("", "") : (line[before.Length..end], line[(end + 1)..].Trim());
    }

    void Say(string reply) => _replies.Append(reply).Append("\r\n");

    async Task FlushAsync()
    {
        if (_replies.Length == 0)
            return;
        var bytes = Encoding.UTF8.GetBytes(_replies.ToString());
        _replies.Clear();
        await _stream.WriteAsync(bytes);
    }
}
