using System.Text;
using System.Text.RegularExpressions;
using Postrider.Testing;
using Xunit;

namespace Postrider.Tests;

/// <summary>Whoever follows a link of a page arrives, and every page is found from <c>docs/README.md</c>.</summary>
public sealed partial class LinkedDocumentsTests
{
    const string Index = "docs/README.md";

    static readonly string[] Folders = ["docs", "bench", "deploy", "tests/peers"];

    public static TheoryData<string> Pages => [.. AllPages()];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Its_links_lead_somewhere(string page) =>
        Assert.All(LinksOf(page), link =>
        {
            Assert.True(!link.File.StartsWith("..", StringComparison.Ordinal) && Path.Exists(Full(link.File)), $"{page}: there is no {link.File}");
            if (link.Anchor is { } anchor && link.File.EndsWith(".md", StringComparison.Ordinal))
                Assert.True(AnchorsOf(link.File).Contains(anchor), $"{page}: {link.File} has no heading for #{anchor}");
        });

    [Fact]
    public void Every_page_is_found_from_the_index()
    {
        var found = new HashSet<string>(StringComparer.Ordinal) { Index };
        var open = new Queue<string>(found);
        while (open.TryDequeue(out var page))
            foreach (var next in LinksOf(page).SelectMany(link => PagesAt(link.File)).Where(found.Add))
                open.Enqueue(next);
        Assert.DoesNotContain(AllPages().Where(page => page.StartsWith("docs/", StringComparison.Ordinal)), page => !found.Contains(page));
    }

    [Theory]
    [InlineData("At three in the morning", "at-three-in-the-morning")]
    [InlineData("`smtp`", "smtp")]
    [InlineData("From SES, in 5 minutes: [how](ses.md)?", "from-ses-in-5-minutes-how")]
    [InlineData("A_b – c", "a_b--c")]
    public void A_headings_anchor_is_GitHubs(string heading, string anchor) => Assert.Equal(anchor, AnchorOf(heading));

    /// <summary>A page; or, of a folder, those in it: so people see them.</summary>
    static IEnumerable<string> PagesAt(string file) =>
        File.Exists(Full(file)) ? file.EndsWith(".md", StringComparison.Ordinal) ? [file] : []
        : Directory.Exists(Full(file)) ? Directory.GetFiles(Full(file), "*.md").Select(FromRoot) : [];

    static IEnumerable<(string File, string? Anchor)> LinksOf(string page)
    {
        var folder = Path.GetDirectoryName(page)!;
        foreach (Match match in Link().Matches(WithoutCode(File.ReadAllText(Full(page)))))
        {
            var target = match.Groups[1].Value;
            if (target.Contains("://", StringComparison.Ordinal) || target.StartsWith("mailto:", StringComparison.Ordinal))
                continue;
            var parts = target.Split('#', 2);
            var file = parts[0].Length == 0 ? page : FromRoot(Path.GetFullPath(Path.Combine(Repository.Root, folder, parts[0])));
            yield return (file, parts.Length > 1 ? parts[1] : null);
        }
    }

    static HashSet<string> AnchorsOf(string page)
    {
        var anchors = new HashSet<string>(StringComparer.Ordinal);
        foreach (Match match in Heading().Matches(Fence().Replace(File.ReadAllText(Full(page)), "")))
        {
            var anchor = AnchorOf(match.Groups[1].Value.TrimEnd());
            for (var (n, name) = (1, anchor); !anchors.Add(name); n++)
                name = $"{anchor}-{n}";
        }
        return anchors;
    }

    /// <summary>Letters in lower case, digits, '-' and '_' stay, a space is a '-', all else goes.</summary>
    static string AnchorOf(string heading)
    {
        var anchor = new StringBuilder();
        foreach (var c in Link().Replace(heading, match => match.Value[1..match.Value.IndexOf(']')]))
            if (c == ' ')
                anchor.Append('-');
            else if (char.IsLetterOrDigit(c) || c is '-' or '_')
                anchor.Append(char.ToLowerInvariant(c));
        return anchor.ToString();
    }

    static IEnumerable<string> AllPages() =>
        [.. Directory.GetFiles(Repository.Root, "*.md").Select(FromRoot), .. Folders
            .SelectMany(folder => Directory.GetFiles(Full(folder), "*.md", SearchOption.AllDirectories).Select(FromRoot))
            .Where(page => !page.Contains("/node_modules/", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    static string WithoutCode(string text) => InlineCode().Replace(Fence().Replace(text, ""), "");

    static string Full(string page) => Path.Combine(Repository.Root, page);

    static string FromRoot(string path) => Path.GetRelativePath(Repository.Root, path).Replace('\\', '/');

    [GeneratedRegex(@"\[[^\]\[]*(?:\[[^\]]*\][^\]\[]*)*\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("^#{1,6} +(.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex("^ *```.*?^ *```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex("`[^`\n]*`")]
    private static partial Regex InlineCode();
}
