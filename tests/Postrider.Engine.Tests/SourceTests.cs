using System.Text.RegularExpressions;
using Postrider.Testing;
using Xunit;

namespace Postrider.Tests;

/// <summary>What the formatter does not hold.</summary>
public sealed partial class SourceTests
{
    const int Columns = 140;

    [Fact]
    public void No_line_is_longer_than_140_columns_but_for_the_texts_in_it()
    {
        string[] folders = ["src", "tests", "bench"];
        var tooLong = folders.SelectMany(folder => Directory.GetFiles(Repository.Path(folder), "*.cs", SearchOption.AllDirectories))
            .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .SelectMany(file => TooLong(File.ReadLines(file)).Select(line => $"{Path.GetRelativePath(Repository.Root, file)}:{line}"));
        Assert.Empty(tooLong);
    }

    /// <summary>Numbers of lines that are too long with each text in them taken as empty; lines within raw texts are data.</summary>
    internal static IEnumerable<int> TooLong(IEnumerable<string> lines)
    {
        var isRaw = false;
        foreach (var (index, line) in lines.Index())
        {
            var turns = RawQuotes().Count(line) % 2 == 1;
            if (!isRaw && !turns && Texts().Replace(line, "\"\"").Length > Columns)
                yield return index + 1;
            isRaw ^= turns;
        }
    }

    [Fact]
    public void A_long_line_is_found_and_data_are_not()
    {
        var data = new string('x', 150);
        string[] lines = [$"// {data}", $"var a = \"{data}\";", "var b = \"\"\"", data, "    \"\"\";", $"Call(\"{data}\", {data});"];
        Assert.Equal([1, 6], TooLong(lines));
    }

    [GeneratedRegex("\"\"\"")]
    private static partial Regex RawQuotes();

    [GeneratedRegex("""
        ["]{3,}.*?["]{3,}|"(?:\\.|[^"\\])*"
        """)]
    private static partial Regex Texts();
}
