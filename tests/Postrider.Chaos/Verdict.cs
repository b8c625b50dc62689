namespace Postrider.Chaos;

/// <summary>What the joined books of a run say.</summary>
sealed record Verdict
{
    public required string Run { get; init; }
    public required int Faults { get; init; }
    public required int Seed { get; init; }
    public required double Seconds { get; init; }

    /// <summary>Submissions begun, and those the client was told are accepted.</summary>
    public required int Submitted { get; init; }
    public required int Acknowledged { get; init; }

    /// <summary>Mails at the sink, and distinct recipients among them.</summary>
    public required int Arrived { get; init; }
    public required int Distinct { get; init; }

    /// <summary>Acknowledged and never arrived.</summary>
    public required IReadOnlyList<string> Lost { get; init; }

    /// <summary>Arrivals beyond the first of their recipient.</summary>
    public required int Duplicates { get; init; }

    /// <summary>Duplicates with no fault between two arrivals, or without an attempt that has no outcome.</summary>
    public required IReadOnlyList<string> Unexplained { get; init; }

    /// <summary>Longest time from a first arrival to the fault that lost its outcome, in milliseconds.</summary>
    public required double LongestUnrecorded { get; init; }

    /// <summary>Other contradictions: a damaged database, counters that say something else, a server that did not come back.</summary>
    public required IReadOnlyList<string> Contradictions { get; init; }

    /// <summary>For a negative control: it must find a loss.</summary>
    public bool MustBeRed { get; init; }

    public bool IsGreen => Lost.Count == 0 && Unexplained.Count == 0 && Contradictions.Count == 0 && Acknowledged > 0;
    public bool IsAsExpected => MustBeRed ? Lost.Count > 0 : IsGreen;

    public override string ToString() => string.Join('\n',
    [
        FormattableString.Invariant($"{Run}: {Faults} faults, {Submitted} submitted, {Acknowledged} acknowledged, {Distinct} arrived, ")
            + FormattableString.Invariant($"{Lost.Count} lost, {Duplicates} duplicates ({Unexplained.Count} unexplained), ")
            + FormattableString.Invariant($"{Contradictions.Count} contradictions, {Seconds:0} s: {Colour}"),
        .. Lost.Take(5).Select(lost => $"  lost: {lost}"),
        .. Unexplained.Take(5).Select(duplicate => $"  unexplained: {duplicate}"),
        .. Contradictions.Take(5).Select(contradiction => $"  contradiction: {contradiction}"),
    ]);

    string Colour => (MustBeRed, IsAsExpected) switch
    {
        (true, true) => "red, as a negative control must be",
        (true, false) => "NOT RED: the harness proves nothing",
        (false, true) => "green",
        (false, false) => "RED",
    };
}
