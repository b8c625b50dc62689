using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage;
using Postrider.Storage.Sqlite;

namespace Postrider.Benchmarks;

/// <summary>What the store alone can do: callers in a closed loop that accept a mail of 2 KB, born leased, and record its outcome through
/// the group commit.</summary>
/// <remarks><c>store [--seconds 5] [--callers 64] [--queued] [--folder DIR]</c>; <c>--queued</c>: through the queue, leased in batches,
/// instead of born leased.</remarks>
sealed class StoreThroughput
{
    // Distinct addresses out of a million: one address repeated keeps its index page hot and hides what it costs.
    const int Addresses = 1_000_000;
    static readonly Incarnation Node = new(0, 1);
    static readonly QueueKey Key = new("main", MailStream.Transactional, TenantId.First);
    static readonly Reply Ok = new(250, "2.0.0", "Ok: queued as 4XyZ12345", "DATA");
    static readonly Outcome Accepted = new(OutcomeKind.Accepted, OutcomeScope.Recipient, Ok, ProviderId: "4XyZ12345");

    readonly MessageIds _ids = new(TimeProvider.System);
    readonly MessageContent _content = new()
    {
        From = new Mailbox("The Shop", EmailAddress.Parse("shop@example.com")),
        Subject = "Your parcel is on its way",
        Text = new string('x', 2000),
    };
    long _done;
    long _next;

    public static async Task RunAsync(string[] args)
    {
        var seconds = Option(args, "--seconds") is { } s ? int.Parse(s, CultureInfo.InvariantCulture) : 5;
        var callers = Option(args, "--callers") is { } c ? int.Parse(c, CultureInfo.InvariantCulture) : 64;
        var folder = Directory.CreateDirectory(
            Option(args, "--folder") ?? Path.Combine(Path.GetTempPath(), $"postrider-bench-{Environment.ProcessId}"));
        var options = new StorageOptions { BallastBytes = 0 };
        var bench = new StoreThroughput();
        try
        {
            await using var store =
                SqliteStore.Open(Path.Combine(folder.FullName, "bench.db"), options, TimeProvider.System, NullLogger<SqliteStore>.Instance);
            await bench.MeasureAsync("warm-up", store, callers, TimeSpan.FromSeconds(2), args.Contains("--queued"));
            for (var round = 1; round <= 3; round++)
                await bench.MeasureAsync($"round {round}", store, callers, TimeSpan.FromSeconds(seconds), args.Contains("--queued"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    static string? Option(string[] args, string name) =>
        Array.IndexOf(args, name) is >= 0 and var i && i + 1 < args.Length ? args[i + 1] : null;

    async Task MeasureAsync(string name, SqliteStore store, int callers, TimeSpan span, bool queued)
    {
        var clock = TimeProvider.System;
        var (started, cpu, allocated, done) = (clock.GetTimestamp(), Environment.CpuUsage.TotalTime, GC.GetTotalAllocatedBytes(), _done);
        using var stop = new CancellationTokenSource(span);
        await Task.WhenAll(Enumerable.Range(0, callers)
            .Select(_ => Task.Run(() => queued ? QueueAsync(store, stop.Token) : HandOverAsync(store, stop.Token))));
        if (queued)
            await DrainAsync(store);
        var (mails, elapsed) = (_done - done, clock.GetElapsedTime(started));
        var used = (Environment.CpuUsage.TotalTime - cpu).TotalMicroseconds / mails;
        var garbage = (GC.GetTotalAllocatedBytes() - allocated) / mails;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name}: {callers} callers, {mails / elapsed.TotalSeconds:0} mails/s; a mail: {used:0.0} µs CPU, {garbage} bytes of garbage"));
    }

    NewMessage Message(Incarnation? bornLeasedBy)
    {
        // A multiplicative walk over all addresses: neighbours in time are far apart in the alphabet.
        var address = Interlocked.Increment(ref _next) * 2654435761L % Addresses;
        return new NewMessage
        {
            Id = _ids.Next(),
            Stream = MailStream.Transactional,
            Route = Key.Route,
            Recipients = [new MessageRecipient(0, RecipientKind.To, new Mailbox(null, EmailAddress.Parse($"user{address}@example.org")))],
            Content = _content,
            ExpiresAt = TimeProvider.System.GetUtcNow().AddDays(1),
            BornLeasedBy = bornLeasedBy,
        };
    }

    /// <summary>The outcome of one mail is recorded while the next one is accepted.</summary>
    async Task HandOverAsync(SqliteStore store, CancellationToken stop)
    {
        var recording = Task.FromResult(RecordResult.Applied);
        while (!stop.IsCancellationRequested)
        {
            var message = Message(Node);
            await store.AcceptAsync(new Acceptance { Tenant = TenantId.First, Messages = [message] }, CancellationToken.None);
            await recording;
            var lease = BornLeased.Of(Key, message, _content, [], TimeProvider.System.GetUtcNow())!;
            recording = store.RecordAsync(Sent(lease));
            Interlocked.Increment(ref _done);
        }
        await recording;
    }

    async Task QueueAsync(SqliteStore store, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
            await store.AcceptAsync(new Acceptance { Tenant = TenantId.First, Messages = [Message(null)] }, CancellationToken.None);
    }

    async Task DrainAsync(SqliteStore store)
    {
        while (true)
        {
            var leases = await store.LeaseAsync(Key, 200, Node, TimeProvider.System.GetUtcNow(), alone: false, CancellationToken.None);
            if (leases.Count == 0)
                return;
            await Task.WhenAll(leases.Select(lease => store.RecordAsync(Sent(lease))));
            _done += leases.Count;
        }
    }

    static AttemptRecord Sent(Lease lease) => new()
    {
        Lease = lease,
        Attempt = new Attempt
        {
            Transport = "relay",
            StartedAt = TimeProvider.System.GetUtcNow(),
            Duration = TimeSpan.FromMilliseconds(3),
            Outcomes = [new RecipientOutcome(0, Accepted)],
        },
        Ends = [new RecipientEnd(0, RecipientState.Sent, Accepted, "sent")],
        Continues = [],
    };
}
