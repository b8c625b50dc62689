using System.Buffers;
using System.Text;
using System.Text.Json;
using Postrider.Mail.Dkim;
using Postrider.Mail.Tests.Mime;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Dkim;

/// <summary>What we sign, others find good; what was altered since, they do not.</summary>
public sealed class DkimPeerTests : IDisposable
{
    // OpenDKIM finds no signature good that was made in the future.
    static readonly DateTimeOffset Past = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    readonly string _folder = Directory.CreateTempSubdirectory("postrider-dkim-").FullName;
    readonly List<string> _kinds = [];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    [Trait("Needs", "node")]
    public void Npms_mailauth_agrees()
    {
        WriteAll(messages: 150);
        var found = PeerReaders.VerifyWithMailauth(_folder).Select(line => line.GetProperty("results")[0].GetString() switch
        {
            "pass" => "good",
            "neutral" when line.GetProperty("comment")[0].GetString() == "body hash did not verify" => "body",
            "fail" when line.GetProperty("comment")[0].GetString() == "bad signature" => "header",
            _ => line.ToString(),
        });
        Assert.Equal(_kinds, found);
    }

    [Fact]
    [Trait("Needs", "opendkim-tools")]
    public void OpenDKIM_agrees()
    {
        WriteAll(messages: 60);
        var found = PeerReaders.VerifyWithOpenDkim(_folder).Select(line =>
            line.GetProperty("code").GetInt32() == 0 ? "good"
            : line.GetProperty("text").GetString()!.Contains("Bad signature", StringComparison.OrdinalIgnoreCase) ? "bad"
            // It takes no message with two Subjects at all (RFC 6376 §8.15 allows that).
            : line.GetProperty("text").GetString()!.Contains("Syntax error", StringComparison.OrdinalIgnoreCase) ? "bad"
            : line.ToString());
        Assert.Equal(_kinds.Select(kind => kind == "good" ? kind : "bad"), found);
    }

    /// <summary>Messages of every shape, each as it was signed, with its text changed, and with a header field changed.</summary>
    void WriteAll(int messages)
    {
        using var key = DkimKey.Import(DkimKey.Generate());
        var signer = new DkimSigner("example.com", "peer", key);
        var records = new Dictionary<string, string> { ["peer._domainkey.example.com"] = DkimRecord.Text(key) };
        File.WriteAllText(Path.Combine(_folder, "records.json"), JsonSerializer.Serialize(records));
        for (var n = 0; n < messages; n++)
        {
            var dice = new Dice((ulong)n);
            var message = MessageMaker.Any(dice, dice.Pick(0, 1, 2, 5, 40), smtpUtf8: n % 4 == 3);
            var output = new ArrayBufferWriter<byte>();
            Assert.True(signer.TrySign(Output.Of(message), Past, output));
            output.Write(Output.Of(message));
            var text = Encoding.Latin1.GetString(output.WrittenSpan);
            Write("good", text);
            Write("body", text + "One more line.\r\n");
            Write("header", text.Replace("\r\nFrom: ", "\r\nFrom: x", StringComparison.Ordinal));
            Write("header", "Subject: Another\r\n" + text);
        }
    }

    void Write(string kind, string message)
    {
        File.WriteAllBytes(Path.Combine(_folder, $"{_kinds.Count:d4}.eml"), Encoding.Latin1.GetBytes(message));
        _kinds.Add(kind);
    }
}
