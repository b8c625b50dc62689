using System.Buffers;
using BenchmarkDotNet.Attributes;
using Postrider.Mail.Addresses;
using Postrider.Mail.Dkim;
using Postrider.Mail.Mime;

namespace Postrider.Benchmarks;

/// <summary>What a signature costs: the canonical forms and hashes, and with them the RSA operation, which is nearly all of it.</summary>
[MemoryDiagnoser, ShortRunJob]
public class DkimSigning
{
    readonly ArrayBufferWriter<byte> _output = new(8192);
    readonly DkimSigner _signer = new("example.com", "s1", DkimKey.Import(DkimKey.Generate()));
    byte[] _message = [];

    [Params(2_000, 1_000_000)]
    public int TextBytes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var message = new MimeMessage
        {
            From = new Mailbox("Shop", EmailAddress.Parse("shop@example.com")),
            To = [new Mailbox("Ann", EmailAddress.Parse("ann@example.org"))],
            MessageId = "1@example.com",
            Date = DateTimeOffset.UnixEpoch,
            BoundarySeed = 1,
            Subject = "Your order",
            Text = string.Concat(Enumerable.Repeat("The quick brown fox jumps over the lazy dog.\r\n", TextBytes / 46)),
        };
        var output = new ArrayBufferWriter<byte>();
        MessageWriter.Write(message, output);
        _message = output.WrittenSpan.ToArray();
    }

    [Benchmark]
    public bool Sign()
    {
        _output.ResetWrittenCount();
        return _signer.TrySign(_message, DateTimeOffset.UnixEpoch, _output);
    }

    [Benchmark]
    public byte[] HashOnly()
    {
        using var hashing = new HashingWriter();
        var body = new RelaxedBody();
        body.Write(_message, hashing);
        body.Finish(hashing);
        var hash = new byte[32];
        hashing.Finish(hash);
        return hash;
    }
}
