using System.Reflection;
using Postrider.Batches;
using Postrider.DeadLetters;
using Postrider.Delivery;
using Postrider.Events;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Providers.Capture;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Storage;
using Postrider.Storage.Inspection;
using Postrider.Storage.Postgres;
using Postrider.Storage.Sqlite;
using Postrider.Storage.Tables;
using Postrider.Tenants;

namespace Postrider.Hosting;

/// <summary>The engine that <c>POSTRIDER_STORE</c> names, under the interfaces that the rest of the process knows.</summary>
static class Stores
{
    const string SqlitePrefix = "sqlite:";

    /// <summary>How people are told where it is; without a password.</summary>
    public static string Place(PostriderOptions options) => PostgresDsn.IsDsn(options.Store)
        ? PostgresDsn.TryParse(options.Store, out _)?.ToString() ?? ""
        : Path.GetFullPath(SqlitePath(options));

    /// <summary>Where its file lies; null when it has none.</summary>
    public static string? FolderOf(PostriderOptions options) =>
        PostgresDsn.IsDsn(options.Store) ? null : Path.GetDirectoryName(Path.GetFullPath(SqlitePath(options)));

    /// <summary>What is wrong with the setting; null: nothing.</summary>
    public static string? Fault(string store)
    {
        if (PostgresDsn.IsDsn(store))
            return PostgresDsn.TryParse(store, out var fault) is null ? fault : null;
        if (store.Length > 0 && !store.StartsWith(SqlitePrefix, StringComparison.OrdinalIgnoreCase))
            return "must be sqlite:PATH or postgres://user:password@host/database";
        return store.Length == SqlitePrefix.Length ? "has no path: write sqlite:data/postrider.db" : null;
    }

    /// <summary>Brings a PostgreSQL database's schema up to date. Returns an exit code and what to say.</summary>
    public static async Task<(int ExitCode, string Text)> MigrateAsync(string store, CancellationToken ct)
    {
        if (!PostgresDsn.IsDsn(store))
            return (ExitCodes.Refused, "POSTRIDER_STORE names no PostgreSQL database; serve brings SQLite up to date.");
        if (PostgresDsn.TryParse(store, out var fault) is not { } dsn)
            return (ExitCodes.Configuration, $"POSTRIDER_STORE: {fault}");
        try
        {
            var steps = await PostgresStore.MigrateAsync(dsn, TimeProvider.System, ct);
            return (ExitCodes.Ok, steps == 0 ? $"{dsn} is up to date." : $"{dsn} is up to date now: {steps} steps done.");
        }
        catch (Exception e) when (e is StoreUnavailableException or StoreUnusableException)
        {
            return (ExitCodes.Storage, e.Message);
        }
    }

    public static void Add(IServiceCollection services, PostriderOptions options)
    {
        if (PostgresDsn.IsDsn(options.Store))
            AddPostgres(services);
        else
            AddSqlite(services, options);
        services.AddSingleton<IInbox, InboxTable>();
        services.AddSingleton<IQueueGroups, QueueGroupTable>();
        services.AddSingleton<IQueueSums, QueueSumTable>();
        services.AddSingleton<IFlowStore, FlowTable>();
        services.AddSingleton<IPauseStore, PauseTable>();
        services.AddSingleton<IDrillStore, DrillTable>();
        services.AddSingleton<IQuotaStore, QuotaTable>();
        services.AddHostedService<QuotaHost>();
        services.AddHostedService<ChangeHost>();
    }

    /// <summary>Opens it, and what depends on what is in it: the process must not start on a store that it cannot use.</summary>
    public static async Task OpenAsync(WebApplication app)
    {
        var services = app.Services;
        if (services.GetService<PostgresOpening>() is { } opening)
        {
            await opening.OpenAsync(CancellationToken.None);
            return;
        }
        services.GetRequiredService<INodeList>(); // it begins to be now
        var store = services.GetRequiredService<SqliteStore>();
        var stop = services.GetRequiredService<StopReason>();
        store.Health.Failed.Register(() =>
        {
            stop.Set(ExitCodes.Storage);
            app.Lifetime.StopApplication();
        });
        if (store.NewestAtStart is { } newest)
            services.GetRequiredService<MessageIds>().ContinueAfter(newest);
    }

    static void AddSqlite(IServiceCollection services, PostriderOptions options)
    {
        services.AddSingleton(sp => SqliteStore.Open(
            SqlitePath(options), sp.GetRequiredService<StorageOptions>(), sp.GetRequiredService<TimeProvider>(),
            sp.GetRequiredService<ILogger<SqliteStore>>()));
        AddInterfaces<SqliteStore>(services);
        services.AddSingleton<IKeyStore, SqliteKeyStore>();
        services.AddSingleton(sp => sp.GetRequiredService<SqliteStore>().Notices);
        services.AddSingleton(sp => new MessageIds(sp.GetRequiredService<TimeProvider>()));
        services.AddSingleton<INodeList, OnlyNode>();
        services.AddSingleton<ITransportReports, NoReports>();
        services.AddSingleton<ITransportPauseStore, TransportPauseTable>();
        services.AddSingleton(sp =>
            MasterKey.Load(options.MasterKey, options.MasterKeyFile, options.Data, sp.GetRequiredService<Entropy>()));
        services.AddSingleton(sp => new StorageRoom(() => sp.GetRequiredService<SqliteStore>().IsLow));
        services.AddSingleton(sp =>
        {
            var store = sp.GetRequiredService<SqliteStore>();
            return new Readiness(sp.GetRequiredService<IHostApplicationLifetime>(),
                () => store.Health.Fault is not null ? "storage" : store.IsLow ? "storage-low" : null);
        });
    }

    static void AddPostgres(IServiceCollection services)
    {
        services.AddSingleton<PostgresOpening>();
        services.AddSingleton(sp => sp.GetRequiredService<PostgresOpening>().Store);
        AddInterfaces<PostgresStore>(services);
        services.AddSingleton<IKeyStore, PostgresKeyStore>();
        services.AddSingleton(sp => sp.GetRequiredService<PostgresStore>().Notices);
        services.AddSingleton(sp => sp.GetRequiredService<PostgresStore>().Ids);
        services.AddSingleton(sp => sp.GetRequiredService<PostgresOpening>().MasterKey);
        services.AddSingleton(sp => sp.GetRequiredService<PostgresStore>().Member.Node);
        services.AddSingleton<INodeList>(sp => sp.GetRequiredService<PostgresStore>());
        services.AddSingleton<PostgresLimits>();
        services.AddSingleton<ISharedLimits>(sp => sp.GetRequiredService<PostgresLimits>());
        services.AddSingleton<ITransportPauseStore>(sp => sp.GetRequiredService<PostgresLimits>());
        services.AddSingleton<ITransportReports>(sp => new PostgresReports(
            sp.GetRequiredService<PostgresStore>(), sp.GetRequiredService<StorageOptions>().NodeName,
            sp.GetRequiredService<TimeProvider>()));
        services.AddHostedService<TransportReporter>();
        if (!TestSwitches.KeepsLimitsApart)
            services.AddHostedService<SharedLimitsHost>();
        services.AddHostedService<NodeHost>();
        services.AddSingleton(sp => new StorageRoom(() => sp.GetRequiredService<PostgresStore>().IsLow));
        services.AddSingleton(sp =>
        {
            var store = sp.GetRequiredService<PostgresStore>();
            return new Readiness(sp.GetRequiredService<IHostApplicationLifetime>(), () => store.IsAway ? "storage" : store.IsLow ? "storage-low" : null);
        });
    }

    static void AddInterfaces<TStore>(IServiceCollection services)
        where TStore : class, IQueueStore, IMessageReader, IFeedbackStore, IEventFeed, ITableStore, IBatchExpansion,
            IDeadLetterCommands
    {
        services.AddSingleton<IEventFeed>(sp => sp.GetRequiredService<TStore>());
        services.AddSingleton<IQueueStore>(sp => sp.GetRequiredService<TStore>());
        services.AddSingleton<IMessageReader>(sp => sp.GetRequiredService<TStore>());
        services.AddSingleton<IFeedbackStore>(sp => sp.GetRequiredService<TStore>());
        services.AddSingleton<ITableStore>(sp => sp.GetRequiredService<TStore>());
        services.AddSingleton<IBatchExpansion>(sp => sp.GetRequiredService<TStore>());
        services.AddSingleton<IDeadLetterCommands>(sp => sp.GetRequiredService<TStore>());
    }

    public static string SqlitePath(PostriderOptions options) =>
        options.Store.Length == 0 ? Path.Combine(options.Data, "postrider.db") : options.Store[SqlitePrefix.Length..];
}

/// <summary>How this process presents itself.</summary>
static class ThisProcess
{
    public static NodeCard Card(PostriderOptions options, StorageOptions storage) => new(
        storage.NodeName, Environment.MachineName, ListenAddress.ForOthers(options.Urls, Environment.MachineName),
        options.Roles.Length == 0 ? "all" : options.Roles, Version);

    public static string Version => (Assembly.GetExecutingAssembly()
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "").Split('+')[0];
}

/// <summary>On SQLite the process that answers is all there is.</summary>
sealed class OnlyNode(
    PostriderOptions options, StorageOptions storage, Readiness readiness, TimeProvider clock, IServiceProvider services) : INodeList
{
    readonly DateTimeOffset _startedAt = clock.GetUtcNow();

    public Task<IReadOnlyList<NodeView>> ListNodesAsync(CancellationToken ct)
    {
        var card = ThisProcess.Card(options, storage);
        return Task.FromResult<IReadOnlyList<NodeView>>([new NodeView
        {
            Id = 0,
            Name = card.Name,
            Host = card.Host,
            Address = card.Address,
            Roles = card.Roles,
            Version = card.Version,
            StartedAt = _startedAt,
            LastBeatAt = clock.GetUtcNow(),
            Beats = 0,
            InFlight = services.GetService<Dispatcher>()?.InFlight ?? 0,
            Alive = true,
            DrainingSince = readiness.IsDraining ? clock.GetUtcNow() : null,
        }]);
    }
}

/// <summary>On SQLite the process that answers knows all there is to know.</summary>
sealed class NoReports(StorageOptions storage) : ITransportReports
{
    public string Node => storage.NodeName;

    public Task WriteAsync(IReadOnlyDictionary<string, string> all, IReadOnlyCollection<string> changed, CancellationToken ct) =>
        Task.CompletedTask;

    public Task<IReadOnlyList<NodeReport>> ReadAsync(IReadOnlyCollection<string> transports, CancellationToken ct) =>
        Task.FromResult<IReadOnlyList<NodeReport>>([]);
}

/// <summary>The store on PostgreSQL, opened before anything is started.</summary>
sealed partial class PostgresOpening(
    PostriderOptions options, StorageOptions storage, TimeProvider clock, Entropy entropy, ILogger<PostgresStore> log) : IAsyncDisposable
{
    PostgresStore? _store;
    MasterKey? _masterKey;

    public PostgresStore Store => _store ?? throw new InvalidOperationException("The store is asked for before it was opened.");

    /// <summary>Nobody gave one.</summary>
    public bool IsKeyInDatabase { get; private set; }
    public MasterKey MasterKey => _masterKey ?? throw new InvalidOperationException("The master key is asked for before it was read.");

    public async Task OpenAsync(CancellationToken ct)
    {
        var dsn = PostgresDsn.TryParse(options.Store, out var fault) ?? throw new StoreUnusableException(fault!);
        _store = await PostgresStore.OpenAsync(dsn, ThisProcess.Card(options, storage), clock, log, ct);
        _masterKey = await LoadMasterKeyAsync(_store);
    }

    /// <summary>From the environment or a file; else the database makes one for all nodes, which protects nothing against who can read
    /// it.</summary>
    async Task<MasterKey> LoadMasterKeyAsync(PostgresStore store)
    {
        if (KeyHere.IsGiven(options))
            return MasterKey.Load(options.MasterKey, options.MasterKeyFile, options.Data, entropy);
        var made = new byte[32];
        entropy.Fill(made);
        var key = await new InstallationTable(store).GetOrAddAsync(StoreInspection.MasterKeyName, made);
        IsKeyInDatabase = true;
        return MasterKey.Parse(Convert.ToBase64String(key), "The master key in the database");
    }

    /// <summary>Once the key is known to be the right one: else the refusal says all there is to say.</summary>
    public void WarnOfKey()
    {
        if (IsKeyInDatabase)
            LogMasterKey(log);
    }

    /// <summary>The process does not start after all.</summary>
    public void Withdraw() => _store?.Withdraw();

    public ValueTask DisposeAsync() => _store is null ? ValueTask.CompletedTask : _store.DisposeAsync();

    [LoggerMessage(LogLevel.Warning, "The master key is kept in the database, beside the secrets that it seals. Make one with "
        + "openssl rand -base64 32 before the first start and give it to all nodes: POSTRIDER_MASTER_KEY or POSTRIDER_MASTER_KEY_FILE")]
    static partial void LogMasterKey(ILogger log);
}
