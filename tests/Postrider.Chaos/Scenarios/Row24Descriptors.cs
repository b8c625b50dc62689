using System.Net.Sockets;
using Postrider.Chaos.Books;

namespace Postrider.Chaos.Scenarios;

/// <summary>A node that takes mail in runs out of file descriptors.</summary>
sealed class Row24Descriptors : Scenario
{
    static readonly TimeSpan BackWithin = TimeSpan.FromSeconds(20);
    static readonly TimeSpan HeldFor = TimeSpan.FromSeconds(12); // a process without any ends within half of it

    public override string Row => "24";
    public override string Name => "no file descriptors left";
    public override string Invariant => "No node ends, nothing that was acknowledged is lost, and it goes on by itself when there are some again";
    public override string Control => "connections are taken without regard to the limit of open files";
    public override IReadOnlyList<Engine> ControlEngines => [Engine.Sqlite];

    public override async Task PlayAsync(Stage stage)
    {
        if (stage.IsControl)
            (stage.Settings["POSTRIDER_TESTING"], stage.Settings["POSTRIDER_TESTING_EVERY_CONNECTION"]) = ("1", "1");
        stage.StartSink();
        await stage.OpenStoreAsync();
        var place = stage.Add(stage.IsSqlite ? "node" : "api-1", stage.IsSqlite ? "" : "api", wrapper: ["prlimit", "--nofile=512:512"]);
        await place.StartReadyAsync();
        if (!stage.IsSqlite)
            await stage.Add("worker-1", "worker").StartReadyAsync();
        stage.StartClient(ClientPlan.Usual with { PerSecond = 60, Connections = 8 });
        for (var times = stage.IsControl ? 1 : stage.Bar(2, 10); times > 0; times--)
        {
            await Clock.WaitAsync(1500);
            var struck = Clock.Now;
            var held = new List<TcpClient>();
            for (var i = 0; i < 600; i++)
            {
                var connection = new TcpClient();
                held.Add(connection);
                using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
                try
                {
                    await connection.ConnectAsync(place.Plan.Url.Host, place.Plan.Url.Port, patience.Token);
                }
                catch (Exception full) when (full is OperationCanceledException or SocketException)
                {
                    break; // the queue of connections is full too
                }
            }
            await Clock.WaitAsync(stage.IsControl ? HeldFor : stage.Span(HeldFor.TotalSeconds, 20));
            held.ForEach(connection => connection.Dispose());
            var freed = Clock.Now;
            var back = false;
            while (!back && Clock.Now - freed < BackWithin.TotalMicroseconds)
            {
                await Clock.WaitAsync(200);
                back = (await place.Node.CallAsync(HttpMethod.Get, "/readyz")).Status == 200;
            }
            if (!back)
                stage.Broken.Add($"it did not answer within {BackWithin.TotalSeconds:0} s");
            if (place.Node.HasExited)
                stage.Broken.Add($"it ended with {place.Node.ExitCode}");
            stage.Strike("end of descriptors", struck);
        }
        await stage.StopClientAsync();
        await stage.DrainAsync();
    }
}
