using System.Text.Json;
using Microsoft.Data.Sqlite;
using Postrider.Storage.Sqlite;

namespace Postrider.Storage.Moving;

/// <summary>What a SQLite database says of its own move. While it is there, no server starts on it.</summary>
/// <param name="Id">The same on the target.</param>
/// <param name="To">The target, without its password.</param>
/// <param name="Done">Everything is on the target and was verified.</param>
/// <param name="At">Unix milliseconds: when it began, or ended.</param>
sealed record MoveMark(string Id, string To, bool Done, long At)
{
    /// <summary>Of the row in <c>installation</c>.</summary>
    public const string Name = "move";

    public static MoveMark? Read(SqliteConnection connection)
    {
        using var select = new Statement(connection.Handle!, $"SELECT value FROM installation WHERE name = '{Name}'");
        return select.With().Step() ? JsonSerializer.Deserialize<MoveMark>(select.Bytes(0)) : null;
    }

    public void Write(SqliteConnection connection)
    {
        using var put = new Statement(connection.Handle!, $"""
            INSERT INTO installation (name, value) VALUES ('{Name}', ?1) ON CONFLICT (name) DO UPDATE SET value = excluded.value
            """);
        put.With().AddBlob(JsonSerializer.SerializeToUtf8Bytes(this)).Run();
    }

    public static void Remove(SqliteConnection connection)
    {
        using var delete = new Statement(connection.Handle!, $"DELETE FROM installation WHERE name = '{Name}'");
        delete.With().Run();
    }

    /// <summary>For who starts a server on it.</summary>
    public string Refusal(string path)
    {
        var at = DateTimeOffset.FromUnixTimeMilliseconds(At).UtcDateTime.ToString("u", System.Globalization.CultureInfo.InvariantCulture);
        return Done
            ? $"The database {path} was moved to {To} ({at}): everything is there, and sent from there. Start the server with that "
                + "POSTRIDER_STORE. Where no server was ever started on it, the move can be taken back: "
                + $"postrider move --undo --from sqlite:{path} --to postgres://…"
            : $"The database {path} is being moved to {To} (since {at}). Finish with the same postrider move, which goes on where it stopped, "
                + $"or give the move up: postrider move --undo --from sqlite:{path}";
    }
}
