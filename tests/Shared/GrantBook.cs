using Npgsql;

namespace Postrider.Testing;

/// <summary>Writes down, in the database that nodes share, what is granted of its rates, by the database's clock.</summary>
public static class GrantBook
{
    // The budget's row is locked until the grant is committed: the numbers are in the order of the grants.
    public const string Open = """
        CREATE TABLE grants (id bigserial PRIMARY KEY, key text NOT NULL, at bigint NOT NULL, was bigint NOT NULL, next bigint NOT NULL);
        CREATE FUNCTION note_grant() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO grants (key, at, was, next)
                VALUES (NEW.key, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, OLD.arrival, NEW.arrival);
            RETURN NULL; END $$;
        CREATE TRIGGER note_grant AFTER UPDATE ON rate_budgets FOR EACH ROW WHEN (NEW.arrival > OLD.arrival) EXECUTE FUNCTION note_grant();
        """;

    /// <summary>Every instant that was granted, to whomever. From the end of a grant back to where it began: where the grant before it
    /// ended, or at its own moment after a pause.</summary>
    /// <param name="gap">From one to the next; none of the past is granted.</param>
    public static async Task<IReadOnlyList<TimeSpan>> InstantsAsync(NpgsqlConnection connection, string key, TimeSpan gap)
    {
        var instants = new List<TimeSpan>();
        await using var command = new NpgsqlCommand("SELECT at, was, next FROM grants WHERE key = $1 ORDER BY id", connection);
        command.Parameters.Add(new NpgsqlParameter { Value = key });
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            var (at, was, next) = (reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2));
            var count = (int)Math.Round((next - Math.Max(was, at)) / gap.TotalMicroseconds);
            for (var left = count; left > 0; left--)
                instants.Add(TimeSpan.FromMicroseconds(next) - left * gap);
        }
        return instants;
    }
}
