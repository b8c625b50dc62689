using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postrider.Batches;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Batches;

/// <summary>CSV as people's programs make it, read as a second reader reads it, and written so that a spreadsheet does no harm.</summary>
public sealed class CsvTests
{
    /// <summary>What the reader reads at a time.</summary>
    const int BufferLength = 16 * 1024;

    // Everything that a place in a record can be, one after the other.
    const string Sample = "email,name\r\nann@example.com,\"Ann \"\"A\"\", B\"\n\"two\r\nlines\",\"\"\r\rplain\"quote,ü漢\U0001F600\n,\nlast,\"end\"";

    [Theory]
    [InlineData("a,b\nc,d", "a|b / c|d")]
    [InlineData("a,b\r\nc,d\r\n", "a|b / c|d")]
    [InlineData("a,b\rc,d\r", "a|b / c|d")]
    [InlineData("a;b;c,d\n1;2;3,4\n", "a|b|c,d / 1|2|3,4")]
    [InlineData("a\tb\n1\t2\n", "a|b / 1|2")]
    [InlineData("\"a;b;c\",d\n", "a;b;c|d")]
    [InlineData("\"a\"\"b\",\"\"\"\"\n", "a\"b|\"")]
    [InlineData("\"\",\"\"\n", "|")]
    [InlineData(" a , b \n", " a | b ")]
    [InlineData("a\n\n\nb\n", "a /  /  / b")]
    [InlineData("", "")]
    public async Task A_file_is_read_record_by_record(string file, string records)
    {
        var read = await ReadAsync(new StringReader(file));
        Assert.Equal(records, string.Join(" / ", read.Select(record => string.Join('|', record.Fields))));
        Assert.All(read, record => Assert.Null(record.Fault));
    }

    [Theory]
    [InlineData("a\n\"b\"c\nd\n", 2, "closing quote")]
    [InlineData("a\nb\n\"c\nd\n", 3, "not closed before the end")]
    public async Task What_is_wrong_in_form_is_told_with_its_line(string file, int line, string words)
    {
        var faulty = Assert.Single(await ReadAsync(new StringReader(file)), record => record.Fault is not null);
        Assert.Equal(line, faulty.Line);
        Assert.Contains(words, faulty.Fault, StringComparison.Ordinal);
        Assert.False(faulty.IsBroken);
    }

    [Fact]
    public async Task Of_each_prefix_all_records_but_the_last_are_those_of_the_whole()
    {
        var whole = await ReadAsync(new StringReader(Sample), ',');
        Assert.Equal(7, whole.Count);
        for (var length = 0; length <= Sample.Length; length++)
        {
            var some = await ReadAsync(new StringReader(Sample[..length]), ',');
            Assert.Equal(whole.Take(Math.Max(0, some.Count - 1)).Select(Words), some.SkipLast(1).Select(Words));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    public async Task It_is_all_the_same_in_which_pieces_a_file_comes(int piece) => Assert.Equal(
        (await ReadAsync(new StringReader(Sample))).Select(Words), (await ReadAsync(new PieceReader(Sample, piece))).Select(Words));

    // Each character of the sample is the last of a full buffer once.
    [Fact]
    public async Task The_edge_of_the_buffer_may_be_anywhere()
    {
        var expected = (await ReadAsync(new StringReader(Sample))).ConvertAll(Words);
        for (var before = 1; before <= Sample.Length; before++)
        {
            var filler = new string('x', BufferLength - before - 1);
            var read = await ReadAsync(new StringReader($"{filler}\n{Sample}"), ',');
            Assert.Equal(filler, Assert.Single(read[0].Fields));
            Assert.Equal(expected,
                read.Skip(1).Select(record => Words(record with { Line = record.Line - 1, LastLine = record.LastLine - 1 })));
        }
    }

    [Fact]
    public async Task A_record_has_an_end_or_nothing_behind_it_is_read()
    {
        var longest = new string('x', CsvReader.MaxRecordLength);
        Assert.Null(Assert.Single(await ReadAsync(new StringReader(longest))).Fault);
        var reader = new CsvReader(new StringReader($"a,b\n1,2\n\"{longest}{longest}\n3,4\n"));
        Assert.Equal(["a", "b"], (await reader.ReadAsync(default))!.Fields);
        Assert.Equal(["1", "2"], (await reader.ReadAsync(default))!.Fields);
        var broken = (await reader.ReadAsync(default))!;
        Assert.Equal((3, true), (broken.Line, broken.IsBroken));
        Assert.Contains("is a quote not closed?", broken.Fault, StringComparison.Ordinal);
    }

    // Python's csv is the peer: files of all that matters, thrown together.
    [Fact]
    public async Task Python_reads_the_same()
    {
        var python = Requires.Program("python3");
        string[] pieces =
        [
            "a", "b c", "ü", "漢", "\U0001F600", "\"", "\"\"", ",", ",", ";", "\t", "\n", "\r\n", "\r", " ", "'", "\"x\"", "\"x,\ny\"",
        ];
        var random = new Dice(20_26);
        var files = Enumerable.Range(0, 3_000)
            .Select(_ => string.Concat(Enumerable.Range(0, 1 + random.Next(24)).Select(_ => pieces[random.Next(pieces.Length)]))).ToList();
        var theirs = await AskAsync(python, files);
        var compared = 0;
        for (var i = 0; i < files.Count; i++)
        {
            var ours = await ReadAsync(new StringReader(files[i]), ',');
            if (ours.Exists(record => record.Fault is not null))
                continue;
            compared++;
            Assert.True(JsonSerializer.Serialize(ours.Select(record => record.Fields)) == JsonSerializer.Serialize(theirs[i]),
                $"{JsonSerializer.Serialize(files[i])} is {JsonSerializer.Serialize(theirs[i])} to Python");
        }
        Assert.InRange(compared, 500, files.Count);
    }

    [Theory]
    [InlineData("=1+1", "'=1+1")]
    [InlineData("+49 30 1", "'+49 30 1")]
    [InlineData("-1", "'-1")]
    [InlineData("@SUM(A1)", "'@SUM(A1)")]
    [InlineData("\t=1", "\"'\t=1\"")]
    [InlineData("\r=1", "\"'\r=1\"")]
    [InlineData("=\"a\",b", "\"'=\"\"a\"\",b\"")]
    [InlineData("a=1", "a=1")]
    [InlineData("", "")]
    [InlineData(null, "")]
    public void What_would_be_a_formula_is_written_as_text(string? field, string written)
    {
        var text = new StringBuilder();
        CsvWriter.Write(text, field, "next");
        Assert.Equal($"{written},next\r\n", text.ToString());
    }

    [Fact]
    public async Task What_is_written_is_read_again()
    {
        string[] fields = ["plain", "a,b", "a;b", "a\tb", "\"quoted\"", "two\r\nlines", "ü漢\U0001F600", ""];
        var text = new StringBuilder();
        CsvWriter.Write(text, fields);
        Assert.Equal(fields, Assert.Single(await ReadAsync(new StringReader(text.ToString()))).Fields);
    }

    static string Words(CsvRecord record) => $"{record.Line}-{record.LastLine} {string.Join('|', record.Fields)} {record.Fault}";

    static async Task<List<CsvRecord>> ReadAsync(TextReader text, char? delimiter = null)
    {
        var reader = new CsvReader(text, delimiter);
        var records = new List<CsvRecord>();
        while (await reader.ReadAsync(default) is { } record)
            records.Add(record);
        return records;
    }

    /// <summary>The records of each file; a blank line is a record of one empty field, as here.</summary>
    static async Task<List<List<List<string>>>> AskAsync(string python, List<string> files)
    {
        var start = new ProcessStartInfo(python, ["-c", """
            import csv, io, json, sys
            read = lambda text: [row or [""] for row in csv.reader(io.StringIO(text, newline=""))]
            print(json.dumps([read(text) for text in json.load(sys.stdin)]))
            """])
        { RedirectStandardInput = true, RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        await process.StandardInput.WriteAsync(JsonSerializer.Serialize(files));
        process.StandardInput.Close();
        var answer = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return JsonNode.Parse(answer).Deserialize<List<List<List<string>>>>()!;
    }

    /// <summary>Gives a text so many characters at a time.</summary>
    sealed class PieceReader(string text, int piece) : TextReader
    {
        int _at;

        public override ValueTask<int> ReadAsync(Memory<char> buffer, CancellationToken cancellationToken = default)
        {
            var count = Math.Min(Math.Min(piece, buffer.Length), text.Length - _at);
            text.AsSpan(_at, count).CopyTo(buffer.Span);
            _at += count;
            return new ValueTask<int>(count);
        }
    }
}
