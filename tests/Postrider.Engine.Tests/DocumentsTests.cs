using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Testing;
using Xunit;

namespace Postrider.Tests;

/// <summary>What <c>docs/</c> says of the code is there.</summary>
public sealed partial class DocumentsTests
{
    static readonly string Root = Repository.Root;

    [Theory]
    [InlineData("walk.md")]
    [InlineData("states.md")]
    public void Every_file_that_is_named_exists(string document)
    {
        var named = SourceFile().Matches(Read(document)).Select(m => m.Groups[1].Value).ToList();
        Assert.NotEmpty(named);
        Assert.DoesNotContain(named, file => !Exists(file));
    }

    [Fact]
    public void Every_state_is_in_the_drawing_or_its_table() =>
        Assert.All(
            Enum.GetNames<RecipientState>(),
            state => Assert.Contains($"`{state.ToLowerInvariant()}`", Read("states.md"), StringComparison.Ordinal));

    // An attempt is told by what it came to.
    [Fact]
    public void Every_type_of_event_has_a_public_name() =>
        Assert.All(Enum.GetValues<MailEventType>().Except([MailEventType.Attempt, MailEventType.LateEvidence]),
            type => Assert.Contains(EventNames.Of(type), EventNames.All));

    [Fact]
    public void Every_event_is_in_the_table() =>
        Assert.All(EventNames.All, name => Assert.Contains($"`{name}`", Read("events.md"), StringComparison.Ordinal));

    [Fact]
    public void Every_decision_has_a_number_of_its_own_and_a_title_with_it()
    {
        var notes = Directory.GetFiles(Path.Combine(Root, "docs", "decisions"), "*.md").Order(StringComparer.Ordinal).Index();
        Assert.All(notes, note =>
        {
            Assert.StartsWith($"{note.Index + 1:0000}-", Path.GetFileName(note.Item), StringComparison.Ordinal);
            Assert.StartsWith($"# {note.Index + 1}. ", File.ReadLines(note.Item).First(), StringComparison.Ordinal);
        });
    }

    /// <summary><c>make chaos</c> writes them.</summary>
    [Fact]
    public void Numbers_of_faults_on_the_first_page_are_those_of_the_report()
    {
        using var report = JsonDocument.Parse(Read("reliability-report.json"));
        var runs = report.RootElement.EnumerateArray().ToLookup(run => run.TryGetProperty("control", out var control)
            && control.ValueKind == JsonValueKind.String);
        string Sum(Func<JsonElement, int> of) => runs[false].Sum(of).ToString("N0", CultureInfo.InvariantCulture);
        string Of(string name) => Sum(run => run.GetProperty(name).GetInt32());
        int AsExpected(bool controls) => runs[controls].Count(run => run.GetProperty("is_as_expected").GetBoolean());
        var lost = Sum(run => run.GetProperty("lost").GetArrayLength());
        var numbers = $"**{Of("cycles")} faults, {Of("acknowledged")} mails acknowledged: {lost} lost, "
            + $"{Of("copies")} duplicates, {Of("unexplained")} of them unexplained.** "
            + $"{AsExpected(false)} of {runs[false].Count()} runs were green, "
            + $"{AsExpected(true)} of {runs[true].Count()} negative controls were seen red.";
        Assert.Contains(numbers, Read("reliability-report.md"), StringComparison.Ordinal);
        Assert.Contains(numbers, Read("../README.md"), StringComparison.Ordinal);
    }

    // Paths are under the engine, or from the root; the dispatcher's parts are named without their room.
    static bool Exists(string file) =>
        new[] { "", "src/Postrider.Engine", "src/Postrider.Engine/Delivery" }.Any(folder => File.Exists(Path.Combine(Root, folder, file)));

    static string Read(string document) => File.ReadAllText(Path.Combine(Root, "docs", document));

    [GeneratedRegex(@"`([\w./]+\.cs)`")]
    private static partial Regex SourceFile();
}
