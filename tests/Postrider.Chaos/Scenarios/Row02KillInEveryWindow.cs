using System.Text.Json;
using Postrider.Chaos.Books;
using Postrider.Chaos.Product;

namespace Postrider.Chaos.Scenarios;

/// <summary>A node that ends itself as by SIGKILL at a given moment of a given step, with one mail in its hands; then what the mail has
/// become is exactly what that moment leads to.</summary>
sealed class Row02KillInEveryWindow : Scenario
{
    /// <param name="Moment">As <c>POSTRIDER_TESTING_KILL_AT</c> has it; <c>dot</c>: the sink has the mail and has not answered.</param>
    /// <param name="Policy">Of the mail, <c>on_ambiguous</c>.</param>
    /// <param name="Arrivals">At the sink, in the end.</param>
    /// <param name="State">Of its recipient, in the end; null: the mail does not exist.</param>
    sealed record Window(string Moment, string Policy, int Arrivals, string? State);

    static readonly IReadOnlyList<Window> Windows =
    [
        // Not acknowledged, and not there.
        new("AcceptAsync.before", "retry", 0, null),
        new("AcceptAsync.inside", "retry", 0, null),
        // Stored, though nobody heard.
        new("AcceptAsync.after", "retry", 1, "sent"),
        new("LeaseAsync.before", "retry", 1, "sent"),
        new("LeaseAsync.inside", "retry", 1, "sent"),
        new("LeaseAsync.after", "retry", 1, "sent"),
        new("LeaseAsync.after", "hold", 1, "sent"),
        new("CommitPointAsync.before", "hold", 1, "sent"),
        new("CommitPointAsync.inside", "hold", 1, "sent"),
        // Nothing was sent, and nobody can know.
        new("CommitPointAsync.after", "hold", 0, "held"),
        new("dot", "retry", 2, "sent"),
        new("dot", "hold", 1, "held"),
        new("RecordAsync.before", "retry", 2, "sent"),
        new("RecordAsync.before", "hold", 1, "held"),
        new("RecordAsync.inside", "retry", 2, "sent"),
        new("RecordAsync.inside", "hold", 1, "held"),
        new("RecordAsync.after", "retry", 1, "sent"),
        new("RecordAsync.after", "hold", 1, "sent"),
        // The second death finds what the first one left.
        new("SweepAsync.before", "retry", 1, "sent"),
        new("SweepAsync.inside", "retry", 1, "sent"),
        new("SweepAsync.after", "retry", 1, "sent"),
    ];

    public override string Row => "2";
    public override string Name => "kill in every window";
    public override string Invariant => "Before, inside and after each step (accept, lease, commit point, send, record, sweep) the mail becomes exactly what that moment leads to";
    public override TimeSpan Limit => TimeSpan.FromMinutes(8); // 21 windows one after the other, each with two or three starts of a node
    public override string Control => "mail is acknowledged before its commit, and commit points are passed without a trace";
    public override IReadOnlyList<Engine> ControlEngines => [Engine.Sqlite];

    /// <summary>Where it shows that a guarantee is gone: of the acknowledgement, and of the commit point.</summary>
    static bool IsOfControl(Window window) => window is { Moment: "AcceptAsync.inside" } or { Moment: "dot", Policy: "hold" };

    public override async Task PlayAsync(Stage stage)
    {
        stage.Settings["POSTRIDER_DELIVERY__SETTLE_TRANSACTIONAL"] = "2s";
        stage.Settings["POSTRIDER_TESTING"] = "1";
        if (stage.IsControl)
            stage.Settings["POSTRIDER_TESTING_ACK_EARLY"] = stage.Settings["POSTRIDER_TESTING_NO_COMMIT_POINT"] = "1";
        stage.StartSink(SinkPlan.Usual with { AnswerAfter = TimeSpan.FromMilliseconds(400) });
        await stage.OpenStoreAsync();
        var place = stage.Add("node", "");
        foreach (var (index, window) in Windows.Index().Where(item => !stage.IsControl || IsOfControl(item.Item)))
        {
            try
            {
                await PlayAsync(stage, place, window, $"w{index}@{window.Policy}.example");
            }
            catch (InvalidOperationException broken)
            {
                stage.Broken.Add($"{window.Moment} ({window.Policy}): {broken.Message}");
            }
            await place.Node.KillAsync();
        }
        stage.Notes.Add($"{stage.Cycles} of {Windows.Count} windows were hit");
        await place.StartReadyAsync();
        if (stage.IsControl && stage.Broken.Count < Windows.Count(IsOfControl))
            throw new InvalidOperationException($"only this was missed: {string.Join("; ", stage.Broken)}");
    }

    static async Task PlayAsync(Stage stage, Place place, Window window, string address)
    {
        var isSweep = window.Moment.StartsWith("SweepAsync", StringComparison.Ordinal);
        var first = isSweep ? "LeaseAsync.after" : window.Moment;
        await place.StartReadyAsync(first == "dot" ? null : KillAt(first));
        // For what is due in a second the lease is a step of its own.
        var id = await SubmitAsync(place, window, address, later: !first.StartsWith("Accept", StringComparison.Ordinal));
        if (first == "dot")
        {
            await UntilAsync(() => ArrivalsOf(stage, address) == 1, "the sink has it");
            await place.Node.KillAsync();
        }
        await DiesAsync(place);
        if (isSweep)
        {
            await place.StartAsync(KillAt(window.Moment));
            await DiesAsync(place);
        }
        stage.Cycles++;
        await place.StartReadyAsync();
        if (window.State is null)
        {
            await Clock.WaitAsync(1000);
            if (id is not null)
                throw new InvalidOperationException($"was acknowledged as {id}");
        }
        else
        {
            id ??= await FindAsync(place, address);
            var state = "";
            await UntilAsync(async () => (state = await place.Node.StateAsync(id) ?? "gone") == window.State,
                () => $"should be {window.State} and is {state}");
        }
        if (ArrivalsOf(stage, address) != window.Arrivals)
            throw new InvalidOperationException($"arrived {ArrivalsOf(stage, address)} times instead of {window.Arrivals}");
    }

    static Dictionary<string, string> KillAt(string moment) => new() { ["POSTRIDER_TESTING_KILL_AT"] = moment };

    static async Task DiesAsync(Place place)
    {
        if (!await place.Node.WaitForExitAsync(TimeSpan.FromSeconds(30)))
            throw new InvalidOperationException("the window was not hit within 30 s");
    }

    /// <summary>The id where it was acknowledged.</summary>
    static async Task<string?> SubmitAsync(Place place, Window window, string address, bool later)
    {
        var at = later ? $",\"send_at\":\"{TimeProvider.System.GetUtcNow().AddSeconds(2):yyyy-MM-ddTHH:mm:ssZ}\"" : "";
        var (status, answer) = await place.Node.CallAsync(HttpMethod.Post, "/emails",
            $$"""{"from":"app@chaos.example","to":"{{address}}","subject":"w","text":"w","on_ambiguous":"{{window.Policy}}"{{at}}}""");
        if (status != 202)
            return null;
        using var json = JsonDocument.Parse(answer);
        return json.RootElement.GetProperty("id").GetString();
    }

    static async Task<string> FindAsync(Place place, string address)
    {
        var (_, answer) = await place.Node.CallAsync(HttpMethod.Get, $"/emails?address={Uri.EscapeDataString(address)}");
        using var json = JsonDocument.Parse(answer);
        return json.RootElement.GetProperty("data").EnumerateArray().Select(mail => mail.GetProperty("id").GetString()!).FirstOrDefault()
            ?? throw new InvalidOperationException("the mail is not there");
    }

    static int ArrivalsOf(Stage stage, string address) =>
        Journal.Read(stage.SinkJournal).Count(line => Checker.IsArrival(line) && line[2] == address);

    static Task UntilAsync(Func<bool> holds, string what) => UntilAsync(() => Task.FromResult(holds()), () => $"not within 30 s: {what}");

    static async Task UntilAsync(Func<Task<bool>> holds, Func<string> orElse)
    {
        for (var start = TimeProvider.System.GetTimestamp(); !await holds(); await Clock.WaitAsync(50))
        {
            if (TimeProvider.System.GetElapsedTime(start) > TimeSpan.FromSeconds(30))
                throw new InvalidOperationException(orElse());
        }
    }
}
