namespace Postrider.Benchmarks.WholeSystem;

/// <summary>How large a run is.</summary>
/// <param name="Expired">Messages that retention is to delete.</param>
/// <param name="Stored">Recipients among whom people look for mail.</param>
/// <param name="Seconds">Of load per measurement on Postrider.</param>
/// <param name="PostfixMessages">Messages per measurement on Postfix.</param>
/// <param name="SmtpMessages">Messages per measurement on Postrider where they come by SMTP.</param>
sealed record Scale(int Rounds, int Seconds, int WarmUpSeconds, int PostfixMessages, int SmtpMessages, int LimitMessages,
    int LatencySeconds,
    int BatchCalls, int DrainMany, int Expired, int Stored)
{
    public static readonly Scale Full = new(3, 8, 12, 10_000, 50_000, 100_000, 30, 100, 1_000_000, 200_000, 10_000_000);

    /// <summary>Shows that everything runs; its figures say little.</summary>
    public static readonly Scale Short = new(1, 2, 1, 1_000, 4_000, 10_000, 3, 10, 50_000, 10_000, 200_000);
}

/// <summary>One measurement by name.</summary>
sealed record Scenario(string Name, Func<CancellationToken, Task> RunAsync)
{
    /// <summary>When it is given up.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>The measurements: each starts its servers in a fresh folder, warms them up, measures, and stops them.</summary>
sealed partial class Scenarios(string root, Scale scale, Measurements measured)
{
    readonly TimeProvider _clock = TimeProvider.System;
    int _folders;

    /// <summary>What is compared stands together and is measured one right after the other: a machine's speed drifts.</summary>
    public IReadOnlyList<IReadOnlyList<Scenario>> Groups =>
    [
        [new("limit", LimitAsync)],
        [new("postfix end-to-end 128", ct => PostfixEndToEndAsync(128, ct)),
            new("postrider end-to-end 128", ct => PostriderEndToEndAsync(128, ct))],
        [new("postfix end-to-end 64", ct => PostfixEndToEndAsync(64, ct)),
            new("postrider end-to-end 64", ct => PostriderEndToEndAsync(64, ct)),
            new("postrider smtp end-to-end 64", ct => PostriderSmtpEndToEndAsync(64, ct))],
        [new("postfix accept 128", ct => PostfixAcceptAsync(128, ct)), new("postrider accept 128", ct => PostriderAcceptAsync(128, ct))],
        [new("postfix accept 32", ct => PostfixAcceptAsync(32, ct)), new("postrider accept 32", ct => PostriderAcceptAsync(32, ct))],
        [new("postfix latency", PostfixLatencyAsync), new("postrider latency", PostriderLatencyAsync)],
        [new("postrider batch", PostriderBatchAsync)],
        [new("postrider large batch", PostriderLargeBatchAsync)],
        [new("postrider vendor 128", PostriderVendorAsync)],
        [new("postfix end-to-end 128 beside postgres", ct => PostfixEndToEndAsync(128, ct, ".beside-postgres")),
            new("postrider postgres end-to-end 0", ct => PostgresEndToEndAsync(0, ct)),
            new("postrider postgres end-to-end 1", ct => PostgresEndToEndAsync(1, ct)),
            new("postrider postgres end-to-end 2", ct => PostgresEndToEndAsync(2, ct)),
            new("postrider postgres end-to-end 4", ct => PostgresEndToEndAsync(4, ct))],
        [new("postrider sqlite drain few", ct => SqliteDrainAsync(DrainFew, ct)),
            new("postrider sqlite drain many", ct => SqliteDrainAsync(scale.DrainMany, ct))],
        [new("postrider postgres drain few", ct => PostgresDrainAsync(DrainFew, ct)),
            new("postrider postgres drain many", ct => PostgresDrainAsync(scale.DrainMany, ct))],
        [new("postrider sqlite retention", SqliteRetentionAsync)],
        [new("postrider postgres retention", PostgresRetentionAsync)],
        [new("postrider sqlite search", SqliteSearchAsync) { Limit = TimeSpan.FromMinutes(30) }],
        [new("postrider postgres search", PostgresSearchAsync) { Limit = TimeSpan.FromMinutes(30) }],
        [new("postrider cold-start", PostriderColdStartAsync)],
    ];

    async Task LimitAsync(CancellationToken ct)
    {
        await using var sink = await CountingSink.StartAsync(ct);
        var start = _clock.GetTimestamp();
        await SmtpLoad.RunAsync(sink.Port, scale.LimitMessages, 64, ct);
        measured.Add(Metric.Limit,
            scale.LimitMessages / _clock.GetElapsedTime(start, await sink.WhenAsync(scale.LimitMessages, ct)).TotalSeconds);
    }

    /// <param name="beside">What it is measured beside; empty: Postrider with its defaults.</param>
    async Task PostfixEndToEndAsync(int connections, CancellationToken ct, string beside = "")
    {
        await using var sink = await CountingSink.StartAsync(ct);
        await using var postfix = await PostfixServer.StartAsync(Fresh(), sink.Port, ct);
        var warmUp = scale.PostfixMessages / 5;
        await SmtpLoad.RunAsync(postfix.Port, warmUp, connections, ct);
        await sink.WhenAsync(warmUp, ct);

        var cpu = ProcessUsage.CpuSeconds(postfix.MasterId);
        var start = _clock.GetTimestamp();
        await SmtpLoad.RunAsync(postfix.Port, scale.PostfixMessages, connections, ct);
        var end = await sink.WhenAsync(warmUp + scale.PostfixMessages, ct);
        measured.Add($"postfix.end-to-end.{connections}{beside}", scale.PostfixMessages / _clock.GetElapsedTime(start, end).TotalSeconds);
        if (beside.Length > 0)
            return;
        measured.Add("postfix.cpu", (ProcessUsage.CpuSeconds(postfix.MasterId) - cpu) * 10_000 / scale.PostfixMessages);
        measured.Add("postfix.memory", ProcessUsage.Bytes(postfix.MasterId) / MiB);
    }

    async Task PostriderEndToEndAsync(int connections, CancellationToken ct)
    {
        await using var sink = await CountingSink.StartAsync(ct);
        await using var postrider = await PostriderServer.StartAsync(Fresh(), sink.Port, ct);
        measured.Add("postrider.memory.idle", ProcessUsage.Bytes(postrider.ProcessId) / MiB);
        var warmUp = await LoadAsync(postrider, connections, scale.WarmUpSeconds, ct);
        await sink.WhenAsync(warmUp.Accepted, ct);

        var before = sink.Count;
        var cpu = ProcessUsage.CpuSeconds(postrider.ProcessId);
        var start = _clock.GetTimestamp();
        var load = await LoadAsync(postrider, connections, scale.Seconds, ct);
        // What wrk had not read the answer of when it stopped may have been accepted too: not counted, to our disadvantage.
        var end = await sink.WhenAsync(before + load.Accepted, ct);
        measured.Add($"postrider.end-to-end.{connections}", load.Accepted / _clock.GetElapsedTime(start, end).TotalSeconds);
        measured.Add("postrider.cpu", (ProcessUsage.CpuSeconds(postrider.ProcessId) - cpu) * 10_000 / load.Accepted);
        measured.Add("postrider.memory", ProcessUsage.PeakResidentBytes(postrider.ProcessId) / MiB);
    }

    /// <summary>The same load as Postfix gets, from the same program.</summary>
    async Task PostriderSmtpEndToEndAsync(int connections, CancellationToken ct)
    {
        await using var sink = await CountingSink.StartAsync(ct);
        await using var postrider = await PostriderServer.StartAsync(Fresh(), sink.Port, ct);
        await SmtpLoad.RunAsync(postrider.SmtpPort, scale.SmtpMessages, connections, ct);
        await sink.WhenAsync(scale.SmtpMessages, ct);

        var start = _clock.GetTimestamp();
        await SmtpLoad.RunAsync(postrider.SmtpPort, scale.SmtpMessages, connections, ct);
        var end = await sink.WhenAsync(2 * scale.SmtpMessages, ct);
        measured.Add($"postrider.smtp-end-to-end.{connections}", scale.SmtpMessages / _clock.GetElapsedTime(start, end).TotalSeconds);
    }

    async Task PostfixAcceptAsync(int connections, CancellationToken ct)
    {
        await using var postfix = await PostfixServer.StartAsync(Fresh(), relayPort: null, ct);
        await SmtpLoad.RunAsync(postfix.Port, scale.PostfixMessages / 5, connections, ct);
        var start = _clock.GetTimestamp();
        await SmtpLoad.RunAsync(postfix.Port, scale.PostfixMessages, connections, ct);
        measured.Add($"postfix.accept.{connections}", scale.PostfixMessages / _clock.GetElapsedTime(start).TotalSeconds);
    }

    async Task PostriderAcceptAsync(int connections, CancellationToken ct)
    {
        await using var sink = await CountingSink.StartAsync(ct);
        await using var postrider = await PostriderServer.StartAsync(Fresh(), sink.Port, ct);
        await postrider.PauseAsync(ct);
        await LoadAsync(postrider, connections, scale.WarmUpSeconds, ct);
        measured.Add($"postrider.accept.{connections}", (await LoadAsync(postrider, connections, scale.Seconds, ct)).Rate);
        if (sink.Count > 0)
            throw new InvalidOperationException($"{sink.Count} mails were delivered while delivery was paused.");
    }

    async Task PostfixLatencyAsync(CancellationToken ct)
    {
        await using var sink = new TimestampingSink();
        await using var postfix = await PostfixServer.StartAsync(Fresh(), sink.Port, ct);
        Add("postfix", await PacedLatency.SmtpAsync(postfix.Port, sink, 100, TimeSpan.FromSeconds(scale.LatencySeconds), ct));
    }

    async Task PostriderLatencyAsync(CancellationToken ct)
    {
        await using var sink = new TimestampingSink();
        await using var postrider = await PostriderServer.StartAsync(Fresh(), sink.Port, ct);
        Add("postrider", await PacedLatency.HttpAsync(postrider, sink, 100, TimeSpan.FromSeconds(scale.LatencySeconds), ct));
    }

    async Task PostriderBatchAsync(CancellationToken ct)
    {
        await using var sink = await CountingSink.StartAsync(ct);
        await using var postrider = await PostriderServer.StartAsync(Fresh(), sink.Port, ct);
        await postrider.PauseAsync(ct);
        await SendBatchesAsync(postrider, 0, Math.Max(4, scale.BatchCalls / 5), ct);
        var start = _clock.GetTimestamp();
        await SendBatchesAsync(postrider, 1_000_000, scale.BatchCalls, ct);
        measured.Add("postrider.batch", scale.BatchCalls * 1_000 / _clock.GetElapsedTime(start).TotalSeconds);
    }

    /// <summary>Out by a vendor's HTTP API, which answers after 20 ms: one call carries what came while the others were under
    /// way.</summary>
    async Task PostriderVendorAsync(CancellationToken ct)
    {
        await using var vendors = await VendorProcess.StartAsync("sendgrid", "latency=20ms", ct);
        await using var postrider = PostriderServer.Launch(Fresh(), $"sendgrid://KEY@?endpoint={vendors.Url}sendgrid&concurrency=1000");
        await postrider.WaitUntilReadyAsync(ct);
        var warmUp = await LoadAsync(postrider, 128, scale.WarmUpSeconds, ct);
        await vendors.WhenAsync(warmUp.Accepted, ct);

        var before = await vendors.CountAsync(ct);
        var start = _clock.GetTimestamp();
        var load = await LoadAsync(postrider, 128, scale.Seconds, ct);
        var end = await vendors.WhenAsync(before + load.Accepted, ct);
        measured.Add("postrider.vendor.128", load.Accepted / _clock.GetElapsedTime(start, end).TotalSeconds);
    }

    async Task PostriderColdStartAsync(CancellationToken ct)
    {
        await using var sink = await CountingSink.StartAsync(ct);
        var start = _clock.GetTimestamp();
        await using var postrider = PostriderServer.Launch(Fresh(), sink.Port);
        var body = """{"from":"shop@bench.example","to":["first@bench.example"],"subject":"Your order","text":"Hello"}""";
        while (!await postrider.TryPostAsync("/emails", PostriderServer.Json(body), ct))
            await Task.Delay(TimeSpan.FromMilliseconds(5), _clock, ct);
        measured.Add("postrider.cold-start", _clock.GetElapsedTime(start).TotalSeconds);
    }

    /// <summary>Four calls at a time, each to 1,000 destinations of its own.</summary>
    static Task SendBatchesAsync(PostriderServer postrider, int firstAddress, int calls, CancellationToken ct) =>
        Parallel.ForEachAsync(Enumerable.Range(0, calls), new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = ct },
            async (call, stop) =>
        {
            var destinations = string.Join(',', Enumerable.Range(firstAddress + call * 1_000, 1_000)
                .Select(number => FormattableString.Invariant($$"""{"email":"r{{number:0000000}}@bench.example"}""")));
            var text = new string('x', 2048);
            var body = $$"""{"from":"shop@bench.example","subject":"News","text":"{{text}}","destinations":[{{destinations}}]}""";
            if (!await postrider.TryPostAsync("/emails/send", PostriderServer.Json(body), stop))
                throw new InvalidOperationException("A batch was not accepted.");
        });

    static async Task<HttpLoadResult> LoadAsync(PostriderServer postrider, int connections, int seconds, CancellationToken ct)
    {
        var load = await HttpLoad.RunAsync(postrider, connections, TimeSpan.FromSeconds(seconds), ct);
        return load.Errors == 0 ? load
            : throw new InvalidOperationException($"{load.Errors} of {load.Requests} requests were not answered with success.");
    }

    void Add(string system, LatencyResult latency)
    {
        if (latency.Missing > 0)
            throw new InvalidOperationException($"{latency.Missing} mails did not reach the relay.");
        measured.Add($"{system}.submit-to-relay.p50", Measurements.Percentile(latency.SubmitToRelay, 50));
        measured.Add($"{system}.submit-to-relay.p99", Measurements.Percentile(latency.SubmitToRelay, 99));
        measured.Add($"{system}.accept-to-relay.p50", Measurements.Percentile(latency.AcceptToRelay, 50));
        measured.Add($"{system}.accept-to-relay.p99", Measurements.Percentile(latency.AcceptToRelay, 99));
    }

    string Fresh() => Path.Combine(root, FormattableString.Invariant($"{++_folders:000}"));

    const double MiB = 1 << 20;
}
