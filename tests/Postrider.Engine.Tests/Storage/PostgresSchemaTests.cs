using System.Text.RegularExpressions;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage;
using Postrider.Storage.Migrations;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>Nodes of a release and of the next one side by side: steps of the schema that only add, and a program that works on what the
/// next one has added.</summary>
public sealed partial class PostgresSchemaTests : IAsyncLifetime
{
    /// <summary>A step that takes something away, or asks for something that the program before does not write, and why it may.</summary>
    static readonly Dictionary<int, string> Excepted = new()
    {
        [33] = "only rows with a key are in the index, and the program before writes none",
    };

    // As the next release may do: tables, indexes, columns that may be NULL or have a default.
    const string NextRelease = """
        CREATE TABLE next_things (id bigint PRIMARY KEY, what text NOT NULL);
        ALTER TABLE messages ADD COLUMN next_note text;
        ALTER TABLE recipients ADD COLUMN next_flag boolean NOT NULL DEFAULT false;
        ALTER TABLE queue ADD COLUMN next_count integer NOT NULL DEFAULT 0;
        ALTER TABLE events ADD COLUMN next_kind smallint;
        ALTER TABLE nodes ADD COLUMN next_zone text NOT NULL DEFAULT '';
        ALTER TABLE counters ADD COLUMN next_sum bigint NOT NULL DEFAULT 0;
        ALTER TABLE idempotency ADD COLUMN next_note text;
        ALTER TABLE tagged ADD COLUMN next_note text;
        ALTER TABLE ended ADD COLUMN next_note text;
        CREATE INDEX queue_next ON queue (next_count) WHERE next_count > 0;
        """;

    readonly ManualClock _clock = new();
    PostgresUnderTest _under = null!;

    public async ValueTask InitializeAsync() => _under = await PostgresUnderTest.OpenAsync(_clock);

    public ValueTask DisposeAsync() => _under.DisposeAsync();

    [Fact]
    public void Steps_are_numbered_without_gaps() =>
        Assert.Equal(Enumerable.Range(1, PostgresMigrations.All.Count), PostgresMigrations.All.Select(m => m.Version));

    [Fact]
    public void Steps_only_add()
    {
        var existing = new HashSet<string>();
        var faults = new List<string>();
        foreach (var step in PostgresMigrations.All)
        {
            if (!Excepted.ContainsKey(step.Version))
                faults.AddRange(Faults(step.Sql, existing).Select(fault => $"step {step.Version}: {fault}"));
            existing.UnionWith(CreatedTable().Matches(step.Sql).Select(m => m.Groups[1].Value));
        }
        Assert.Empty(faults);
        Assert.Contains("queue", existing);
    }

    [Theory]
    [InlineData("DROP TABLE queue")]
    [InlineData("DROP INDEX queue_due")]
    [InlineData("TRUNCATE queue")]
    [InlineData("ALTER TABLE queue DROP COLUMN due")]
    [InlineData("ALTER TABLE queue RENAME TO work")]
    [InlineData("ALTER TABLE queue RENAME COLUMN due TO at")]
    [InlineData("ALTER TABLE queue ALTER COLUMN due TYPE integer")]
    [InlineData("ALTER TABLE queue ALTER due SET NOT NULL")]
    [InlineData("ALTER TABLE queue ADD COLUMN weight integer NOT NULL")]
    [InlineData("ALTER TABLE queue ADD COLUMN a text, ADD COLUMN weight integer NOT NULL")]
    [InlineData("ALTER TABLE queue ADD CONSTRAINT positive CHECK (tries > 0)")]
    [InlineData("CREATE UNIQUE INDEX queue_one ON queue (ordering_key)")]
    public void What_the_program_before_would_stumble_over_is_found(string sql) =>
        Assert.NotEmpty(Faults($"CREATE TABLE new (id bigint); {sql};", ["queue"]));

    [Fact]
    public void What_a_step_does_with_its_own_tables_is_no_fault() =>
        Assert.Empty(Faults(NextRelease + "CREATE UNIQUE INDEX next_what ON next_things (what); DROP TABLE next_things;",
            ["queue", "messages", "recipients", "events", "nodes", "counters", "idempotency", "tagged", "ended"]));

    static IEnumerable<string> Faults(string sql, HashSet<string> existing)
    {
        foreach (var text in Comment().Replace(sql, "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var statement = Space().Replace(text, " ");
            var isOnNew = Named().Match(statement) is { Success: true } named && !existing.Contains(named.Groups[1].Value);
            if (!isOnNew && (Takes().IsMatch(statement) || Demands(statement)))
                yield return statement;
        }
    }

    /// <summary>It asks of rows what the program before does not see to.</summary>
    static bool Demands(string statement) =>
        statement.StartsWith("CREATE UNIQUE INDEX", StringComparison.Ordinal)
        || (statement.StartsWith("ALTER TABLE", StringComparison.Ordinal)
            && (statement.Contains("ADD CONSTRAINT", StringComparison.Ordinal) || statement.Contains("ADD CHECK", StringComparison.Ordinal)
                || statement.Split("ADD COLUMN").Skip(1).Any(column => column.Contains("NOT NULL", StringComparison.Ordinal)
                    && !column.Contains("DEFAULT", StringComparison.Ordinal))));

    [GeneratedRegex(@"^(DROP|TRUNCATE|RENAME)\b|^ALTER .*\b(DROP|RENAME|TYPE|SET NOT NULL)\b")]
    private static partial Regex Takes();

    [GeneratedRegex(@"^(?:ALTER TABLE|DROP TABLE|TRUNCATE|CREATE UNIQUE INDEX \w+ ON) (\w+)")]
    private static partial Regex Named();

    [GeneratedRegex(@"CREATE TABLE (\w+)")]
    private static partial Regex CreatedTable();

    [GeneratedRegex("--.*")]
    private static partial Regex Comment();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();

    [Fact]
    public async Task A_program_works_on_the_schema_of_the_next_one()
    {
        await _under.ExecuteAsync(NextRelease);
        await NoteAsync(3);
        await using var store = await _under.OpenStoreAsync("of the version before");
        var mails = new StoredMails(_clock);
        var message = mails.Make("a@example.org") with { Tags = ["spring"] };

        Assert.IsType<AcceptResult.Accepted>(await store.AcceptAsync(StoredMails.Accept(message) with
        {
            Idempotency = new IdempotencyClaim("k", new byte[32], "{}"u8.ToArray(), _clock.GetUtcNow().AddDays(1)),
        }, default));
        var lease = Assert.Single(await store.LeaseAsync(
            StoredMails.Key, 10, store.Member.Incarnation, _clock.GetUtcNow(), alone: false, default));
        Assert.Equal(RecordResult.Applied, await store.RecordAsync(mails.Sent(lease)));
        await store.SweepAsync(store.Member.Incarnation, _clock.GetUtcNow(), _clock.GetUtcNow(), default);

        var page = await store.ListAsync(TenantId.First, new MessageFilter { Tag = "spring" }, default);
        Assert.Equal(RecipientState.Sent, Assert.Single(Assert.Single(page.Messages).Recipients).State);
        Assert.Equal(1, (await store.CountAsync(TenantId.First, default)).Sent);
        Assert.Equal(2, (await store.ListNodesAsync(default)).Count);
    }

    [Fact]
    public async Task Beyond_the_steps_of_one_release_it_does_not_start()
    {
        await NoteAsync(4);

        var refused = await Assert.ThrowsAsync<StoreUnusableException>(() => _under.OpenStoreAsync("of two versions before"));

        Assert.Contains("Use the newer program", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>So many steps were done that this program does not know.</summary>
    Task NoteAsync(int more) => _under.ExecuteAsync($"""
        INSERT INTO schema_version SELECT {PostgresMigrations.All.Count} + g, 'next', 0 FROM generate_series(1, {more}) AS g
        """);
}
