using Postrider.Chaos.Books;

namespace Postrider.Chaos.Product;

/// <summary>A place where a node runs: started again and again under one name and one address. What is done to it is noted.</summary>
sealed class Place(NodePlan plan, List<Strike> strikes, CancellationToken closing) : IAsyncDisposable
{
    const int StorageAway = 74;

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly SemaphoreSlim _one = new(1);
    Node? _node;

    public NodePlan Plan => plan;
    public string Name => plan.Name;

    /// <summary>The running node; throws when none was started.</summary>
    public Node Node => _node ?? throw new InvalidOperationException($"{Name} was not started");

    /// <summary>How often it ended by itself, as one that the others had given up does.</summary>
    public int EndedByItself { get; private set; }

    /// <summary>Somebody has it in hand: it is frozen, or being started.</summary>
    public bool IsHeld => _one.CurrentCount == 0;

    /// <summary>Nobody else may stop or start it until this is disposed.</summary>
    public async Task<Hold> HoldAsync()
    {
        await _one.WaitAsync();
        return new Hold(_one);
    }

    public async Task StartAsync(IReadOnlyDictionary<string, string>? more = null)
    {
        closing.ThrowIfCancellationRequested(); // a scenario whose time is up starts nothing more
        if (_node is not null)
            await _node.DisposeAsync();
        _node = Node.Start(plan, more);
    }

    public async Task StartReadyAsync(IReadOnlyDictionary<string, string>? more = null)
    {
        await StartAsync(more);
        var isReady = await Node.WaitUntilReadyAsync(Patience);
        // One that found the database away, on a machine that is busy, is started again as whatever runs nodes does.
        for (var tries = 0; tries < 3 && !isReady && Node.HasExited && Node.ExitCode == StorageAway; tries++)
        {
            await StartAsync(more);
            isReady = await Node.WaitUntilReadyAsync(Patience);
        }
        if (!isReady)
            throw new InvalidOperationException($"{Name} did not become ready; its log says why");
    }

    /// <summary>SIGKILL, and the time that the sink needs to read what the dead process had sent.</summary>
    public async Task KillAsync()
    {
        var struck = Clock.Now;
        await Node.KillAsync();
        await Clock.WaitAsync(50);
        Note("kill", struck);
    }

    public void Note(string what, long struck)
    {
        lock (strikes)
            strikes.Add(new Strike($"{what} of {Name}", struck, Clock.Now));
    }

    /// <summary>Starts it again when it has ended by itself.</summary>
    public async Task TendAsync()
    {
        if (!await _one.WaitAsync(0))
            return;
        try
        {
            if (_node is not { HasExited: true })
                return;
            EndedByItself++;
            Note("end", Clock.Now);
            await StartAsync();
        }
        finally
        {
            _one.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_node is not null)
        {
            _node.Thaw(); // SIGKILL ends what stands still as well, but a wrapper may wait for it
            await _node.DisposeAsync();
        }
        _one.Dispose();
    }

    public readonly struct Hold(SemaphoreSlim one) : IDisposable
    {
        public void Dispose() => one.Release();
    }
}
