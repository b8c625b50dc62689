using Postrider.Chaos.Books;
using Postrider.Chaos.Faults;
using Postrider.Chaos.Product;

namespace Postrider.Chaos.Scenarios;

/// <summary>A worker's network loses a third of all packets, and then is as slow as a modem, both to the relay and to the
/// database.</summary>
sealed class Row13BadNetwork : Scenario
{
    public override string Row => "13";
    public override string Name => "lossy and slow network";
    public override string Invariant => "0 lost; a second copy only of what was in doubt";
    public override IReadOnlyList<Engine> Engines => [Engine.Postgres];
    public override string Control => "mail is acknowledged before its commit, and the network of the node that took it is cut";
    public override string? Missing => NetworkPen.Missing ?? (PostgresServer.IsInstalled ? null : "postgresql");

    public override async Task PlayAsync(Stage stage)
    {
        await using var pen = await NetworkPen.CreateAsync();
        stage.Postgres = await PostgresServer.CreateAsync(Path.Combine(stage.Shared, "server"), $"127.0.0.1,{pen.Outside}");
        stage.RelayRate = 60;
        if (stage.IsControl)
            (stage.Settings["POSTRIDER_TESTING"], stage.Settings["POSTRIDER_TESTING_ACK_EARLY"]) = ("1", "1");
        stage.StartSink(address: pen.Outside);
        void AddInside(string name, string role) =>
            stage.Add(name, role, wrapper: pen.Wrapper, host: pen.Inside, relay: pen.Outside, store: stage.Postgres.Dsn(pen.Outside));
        if (stage.IsControl)
            AddInside("api-1", "api");
        else
            stage.Add("api-1", "api", relay: pen.Outside);
        AddInside("worker-1", "worker");
        foreach (var place in stage.Places)
            await place.StartReadyAsync();
        stage.TendNodes();
        stage.StartClient(ClientPlan.Usual with { PerSecond = 30 });
        await Clock.WaitAsync(2000);
        await (stage.IsControl ? CutAsync(stage, pen) : SpoilAsync(stage, pen));
        await stage.StopClientAsync();
        await stage.DrainAsync();
        await stage.RememberStoriesAsync();
        await stage.DisposeNodesAsync();
    }

    static async Task SpoilAsync(Stage stage, NetworkPen pen)
    {
        var struck = Clock.Now;
        await pen.DropAsync(stage.Postgres!.Port, 0.3);
        await pen.DropAsync(stage.SinkPort, 0.3);
        await Clock.WaitAsync(stage.Span(10, 900));
        await pen.HealAsync();
        stage.Strike("a third of all packets lost", struck);
        struck = Clock.Now;
        await pen.SlowAsync("64kbit");
        await Clock.WaitAsync(stage.Span(8, 900));
        await pen.FastAsync();
        stage.Strike("64 kbit/s", struck);
    }

    /// <summary>Until the server has ended the transactions of whom it does not hear.</summary>
    static async Task CutAsync(Stage stage, NetworkPen pen)
    {
        var struck = Clock.Now;
        await pen.DropAsync(stage.Postgres!.Port, 1);
        await Clock.WaitAsync(TimeSpan.FromSeconds(15));
        await pen.HealAsync();
        stage.Strike("the database out of reach", struck);
    }
}
