using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postrider.Mail.Mime;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Mime;

/// <summary>Messages, whole and damaged, are taken apart as Python's email does it: the same parts, the same bytes in them.</summary>
public sealed class MimeReaderPeerTests : IDisposable
{
    const int WholeMessages = 200;

    readonly string _folder = Directory.CreateTempSubdirectory("postrider-reader-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    [Trait("Needs", "python")]
    public void Messages_are_taken_apart_as_Python_does_it()
    {
        byte[][] messages = [.. Enumerable.Range(0, WholeMessages).Select(Whole), .. Enumerable.Range(0, 1_500).Select(Damaged)];
        for (var n = 0; n < messages.Length; n++)
            File.WriteAllBytes(Path.Combine(_folder, $"{n:D5}.eml"), messages[n]);

        var found = PeerReaders.TakeApartWithPython(_folder);

        Assert.Equal(messages.Length, found.Length);
        var differences = new List<string>();
        for (var n = 0; n < messages.Length; n++)
        {
            Assert.True(MimeReader.TryRead(messages[n], out var message, out var fault), $"message {n}: {fault}");
            // What a decoder makes of damage is its own affair.
            var decode = n < WholeMessages;
            var (ours, theirs) = (Describe(message, decode), Describe(found[n], decode));
            if (ours != theirs)
                differences.Add($"message {n}:\n  ours   {ours}\n  Python {theirs}\n{Encoding.Latin1.GetString(messages[n])}");
        }
        // Known and meant, of damaged messages: Python makes one delimiter of two that follow each other, and takes a type with white
        // space in it for a type.
        Assert.True(differences.Count <= 8, $"{differences.Count} differences:\n{string.Join('\n',
            differences.Take(3).Select(text => text.Length > 10_000 ? text[..10_000] : text))}");
    }

    static byte[] Whole(int n) => Output.Of(MessageMaker.Any(new Dice((ulong)n), recipients: 2));

    /// <summary>Lines that are lost, doubled, moved, cut, and line ends of the other kind.</summary>
    static byte[] Damaged(int n)
    {
        var dice = new Dice((ulong)n + 1_000_000);
        var message = MessageMaker.Any(dice, recipients: 2);
        var lines = Encoding.Latin1.GetString(Output.Of(message)).Split("\r\n").ToList();
        for (var damages = dice.Next(6); damages >= 0 && lines.Count > 1; damages--)
        {
            var at = dice.Next(lines.Count);
            // Quotes that are not closed, and what follows those that are: here a boundary all the same, there another one.
            switch (dice.Next(lines[at].Contains('"') ? 3 : 6))
            {
                case 0: lines.RemoveAt(at); break;
                case 1: lines.Insert(dice.Next(lines.Count), lines[at]); break;
                case 2: lines.RemoveRange(at, lines.Count - at); break;
                case 3: lines[at] = lines[at][..dice.Next(lines[at].Length + 1)]; break;
                case 4: lines.Insert(at, dice.Pick("", "no field", "--=_0000000000000001.0", "--=_0000000000000001.2--", "--")); break;
                default: lines[at] += dice.Pick(" ", "\t", "-", "--"); break;
            }
        }
        return Encoding.Latin1.GetBytes(string.Join(dice.OneIn(4) ? "\n" : "\r\n", lines));
    }

    static string Describe(MimeEntity entity, bool decode)
    {
        var names = string.Join(' ', entity.Headers.Fields.Select(field => field.Name.ToLowerInvariant()));
        if (entity.Parts.Count > 0)
            return $"{entity.MediaType}[{names}]({string.Join(", ", entity.Parts.Select(part => Describe(part, decode)))})";
        if (entity.IsMultipart)
            return $"{entity.MediaType}[{names}]";
        // A part that is never closed ends with a line end here, without it there.
        var content = decode ? entity.Decode().Span : LineEnds.TrimEnd(entity.Body.Span);
        return $"{entity.MediaType}[{names}] {content.Length} {Convert.ToHexStringLower(SHA256.HashData(content))}";
    }

    static string Describe(JsonElement found, bool decode)
    {
        var type = found.GetProperty("type").GetString();
        var names = string.Join(' ', found.GetProperty("names").EnumerateArray().Select(name => name.GetString()));
        var parts = found.GetProperty("parts").EnumerateArray().Select(part => Describe(part, decode)).ToArray();
        if (parts.Length > 0)
            return $"{type}[{names}]({string.Join(", ", parts)})";
        if (type!.StartsWith("multipart/", StringComparison.Ordinal))
            return $"{type}[{names}]";
        var content = found.GetProperty(decode ? "decoded" : "raw");
        return $"{type}[{names}] {content[0].GetInt32()} {content[1].GetString()}";
    }
}
