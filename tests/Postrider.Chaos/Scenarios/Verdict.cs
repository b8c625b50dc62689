using Postrider.Chaos.Books;

namespace Postrider.Chaos.Scenarios;

/// <summary>What the joined books of a run say.</summary>
sealed record Verdict
{
    public required string Row { get; init; }
    public required string Name { get; init; }
    public required string Engine { get; init; }
    public required string Invariant { get; init; }

    /// <summary>What was taken away, for a negative control: then it must be red. Null: an ordinary run.</summary>
    public string? Control { get; init; }

    /// <summary>When it was run, and of what.</summary>
    public required DateTimeOffset At { get; init; }
    public required string Version { get; init; }
    public required int Seed { get; init; }
    public required double Seconds { get; init; }

    /// <summary>Faults that were struck.</summary>
    public required int Cycles { get; init; }

    /// <summary>Submissions begun, and those the client was told are accepted.</summary>
    public int Submitted { get; init; }
    public int Acknowledged { get; init; }

    /// <summary>Mails at the sink, and distinct recipients among them.</summary>
    public int Arrived { get; init; }
    public int Distinct { get; init; }

    /// <summary>Acknowledged, never arrived, and not held for a person to see.</summary>
    public IReadOnlyList<string> Lost { get; init; } = [];

    /// <summary>Acknowledged, not arrived, and held with a reason.</summary>
    public int Held { get; init; }

    /// <summary>Recipients with more than one mail, each with what explains it.</summary>
    public IReadOnlyList<Duplicate> Duplicates { get; init; } = [];

    /// <summary>Attempts of all messages that were under way when their process ended, or were not answered: the bound of
    /// duplicates.</summary>
    public int WithoutOutcome { get; init; }

    /// <summary>What the invariant forbids and was seen.</summary>
    public IReadOnlyList<string> Broken { get; init; } = [];

    /// <summary>Numbers beside those above, in words.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>The run could not be made as planned: it proves nothing.</summary>
    public string? Failure { get; init; }

    public int Copies => Arrived - Distinct;
    public int Unexplained => Duplicates.Count(duplicate => duplicate.Explanation is null);
    public bool IsGreen => Failure is null && Lost.Count == 0 && Unexplained == 0 && Broken.Count == 0 && Copies <= WithoutOutcome;
    public bool IsRed => Failure is null && !IsGreen;
    public bool IsAsExpected => Control is null ? IsGreen : IsRed;

    public override string ToString() => string.Join('\n',
    [
        FormattableString.Invariant($"{Row} {Name} ({Engine}{(Control is null ? "" : $", control: {Control}")}): {Cycles} faults, ")
            + FormattableString.Invariant($"{Submitted} submitted, {Acknowledged} acknowledged, {Distinct} arrived, {Lost.Count} lost, ")
            + FormattableString.Invariant($"{Copies} duplicates ({Unexplained} unexplained, {WithoutOutcome} attempts without outcome), ")
            + FormattableString.Invariant($"{Broken.Count} broken, {Seconds:0} s, seed {Seed}: {Colour}"),
        .. Notes.Select(note => $"  {note}"),
        .. Failure is null ? [] : new[] { $"  failed: {Failure}" },
        .. Lost.Take(5).Select(lost => $"  lost: {lost}"),
        .. Duplicates.Where(duplicate => duplicate.Explanation is null).Take(5)
            .Select(duplicate => $"  unexplained: {duplicate.Recipient} {duplicate.Message}: {duplicate.Fault}"),
        .. Broken.Take(5).Select(broken => $"  broken: {broken}"),
    ]);

    public string Colour => (Control is not null, IsAsExpected) switch
    {
        _ when Failure is not null => "FAILED",
        (true, true) => "red, as a negative control must be",
        (true, false) => "NOT RED: the harness proves nothing",
        (false, true) => "green",
        (false, false) => "RED",
    };
}
