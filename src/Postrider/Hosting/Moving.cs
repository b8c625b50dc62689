using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Postrider.Delivery;
using Postrider.Messages;
using Postrider.Storage;
using Postrider.Storage.Moving;
using Postrider.Storage.Postgres;
using Postrider.Storage.Sqlite;
using Postrider.Tenants;

namespace Postrider.Hosting;

/// <summary>The move from SQLite to PostgreSQL, with the settings of the server that is moved.</summary>
static class Moving
{
    /// <summary>How far it is.</summary>
    /// <param name="Work">What is done to the table, as a verb.</param>
    public readonly record struct Step(string Work, string Table, long Done, long Total);

    /// <summary>What was moved.</summary>
    /// <param name="KeyAdvice">What the nodes must be given as master key.</param>
    public sealed record Moved(
        IReadOnlyList<(string Table, long Rows)> Rows, int Swept, int Secrets, bool WasDone, string KeyAdvice);

    /// <summary>What ended it, in words and with an exit code.</summary>
    public sealed class Failure(int exitCode, string message, Exception inner) : Exception(message, inner)
    {
        public int ExitCode => exitCode;
    }

    /// <param name="from"><c>sqlite:PATH</c>.</param>
    /// <param name="isDry">Only look.</param>
    public static Task<Moved> RunAsync(
        LoadedConfiguration configuration, string from, string to, bool isDry, Action<Step> step, CancellationToken ct) =>
        Guarded(async () =>
    {
        var path = PathOf(from);
        var options = configuration.Get<PostriderOptions>();
        var (key, advice) = Key(options, path);
        var request = new MoveRequest(path, Dsn(to), key, configuration.Get<StorageOptions>(),
            configuration.Get<DeliveryOptions>().SettleTransactional);
        var mover = new Mover(request, TimeProvider.System, Entropy.System, NullLogger<SqliteStore>.Instance,
            s => step(new Step(s.Work, s.Table, s.Done, s.Total)));
        var result = isDry ? await mover.TryAsync(ct) : await mover.RunAsync(ct);
        return new Moved(result.Rows, result.Swept, result.Secrets, result.WasDone, advice);
    });

    public static Task UndoAsync(LoadedConfiguration configuration, string from, string? to, CancellationToken ct) => Guarded(async () =>
    {
        await Mover.UndoAsync(PathOf(from), to is null ? null : Dsn(to), configuration.Get<StorageOptions>(), TimeProvider.System,
            NullLogger<SqliteStore>.Instance, ct);
        return true;
    });

    static string PathOf(string from) => from.StartsWith("sqlite:", StringComparison.OrdinalIgnoreCase) && from.Length > "sqlite:".Length
        ? Path.GetFullPath(from["sqlite:".Length..])
        : throw new MoveRefusedException("--from must be sqlite:PATH, such as sqlite:data/postrider.db");

    static PostgresDsn Dsn(string to) =>
        PostgresDsn.TryParse(to, out var fault) ?? throw new MoveRefusedException($"--to: {fault}");

    /// <summary>The key of the server, and what the nodes on the other side need. It is never made here: a new one opens nothing.</summary>
    static (MasterKey Key, string Advice) Key(PostriderOptions options, string path)
    {
        if (KeyHere.IsGiven(options))
            return (MasterKey.Load(options.MasterKey, options.MasterKeyFile, options.Data, Entropy.System),
                "Give every node the same master key as now: "
                + (string.IsNullOrEmpty(options.MasterKey) ? $"POSTRIDER_MASTER_KEY_FILE={options.MasterKeyFile}" : "POSTRIDER_MASTER_KEY"));
        var file = new[] { KeyHere.OwnFile(options), MasterKey.FileIn(Path.GetDirectoryName(path)!) }
            .FirstOrDefault(File.Exists) ?? throw new MasterKeyException(
                $"There is no {KeyHere.OwnFile(options)}, nor a master key beside {path}. Name the folder with --data, or give the key "
                + "in POSTRIDER_MASTER_KEY or POSTRIDER_MASTER_KEY_FILE.");
        return (MasterKey.Load(null, file, options.Data, Entropy.System),
            $"Give every node the master key: POSTRIDER_MASTER_KEY_FILE={file} here, and a copy of that file on other machines. "
            + "It is not in the database, and without it no secret opens: keep a backup of it.");
    }

    static async Task<T> Guarded<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception e) when (ExitCodeOf(e) is { } exitCode)
        {
            throw new Failure(exitCode, e is NpgsqlException
                ? $"The target failed: {e.Message}. The same command goes on where it stopped." : e.Message, e);
        }
    }

    static int? ExitCodeOf(Exception e) => e switch
    {
        MoveRefusedException or StoreInUseException => ExitCodes.Refused,
        MasterKeyException => ExitCodes.Configuration,
        StoreUnusableException or StoreUnavailableException or NpgsqlException or IOException or TimeoutException => ExitCodes.Storage,
        _ => null,
    };
}
