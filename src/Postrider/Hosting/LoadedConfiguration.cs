using System.Collections;
using System.Text.RegularExpressions;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Submission;

namespace Postrider.Hosting;

/// <summary>The configuration as it takes effect, with every fault that was found; a process with faults does not start.</summary>
public sealed partial class LoadedConfiguration
{
    readonly Dictionary<string, ConfigurationEntry> _winners = new(StringComparer.Ordinal); // by plain key: the strongest source
    readonly List<string> _faults = [];
    readonly List<string> _warnings = [];
    readonly ConfigurationSchema _schema;

    LoadedConfiguration(ConfigurationSchema schema, string environment)
    {
        _schema = schema;
        Environment = environment;
    }

    /// <summary>For the binder: canonical keys, values it can read.</summary>
    public IConfiguration Values { get; private set; } = new ConfigurationBuilder().Build();

    /// <summary><c>Development</c> or <c>Production</c>.</summary>
    public string Environment { get; }
    public bool IsDevelopment => Environment == "Development";

    /// <summary>Each in one line that begins with where it is: <c>postrider.json:12: …</c>. Empty: it may start.</summary>
    public IReadOnlyList<string> Faults => _faults;
    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Those of the faults that leave unclear what was meant: a file that cannot be read, a setting that does not exist, a value
    /// that is none. The rest is what a server would refuse to start with.</summary>
    public IReadOnlyList<string> Unclear { get; private set; } = [];

    /// <summary>Reads and checks everything; touches no network and makes no file.</summary>
    /// <param name="variables">The environment.</param>
    /// <param name="args">What follows <c>serve</c>.</param>
    public static LoadedConfiguration Load(IReadOnlyList<string> args, IDictionary variables)
    {
        var loaded = new LoadedConfiguration(new ConfigurationSchema(Rooms.Sections), EnvironmentOf(variables));
        var file = variables["POSTRIDER_CONFIG"] as string;
        var rest = args.ToList();
        if (rest.IndexOf("--config") is >= 0 and var at && at + 1 < rest.Count)
        {
            file = rest[at + 1];
            rest.RemoveRange(at, 2);
        }
        loaded.Take(loaded.ReadFile(file));
        loaded.Take(ConfigurationSources.FromEnvironment(variables));
        loaded.Take(ConfigurationSources.FromCommandLine(rest, loaded._faults));
        loaded.Bind();
        loaded.Unclear = [.. loaded._faults];
        loaded.Judge();
        return loaded;
    }

    /// <summary>The options of a section as configured; defaults where nothing was said.</summary>
    public T Get<T>() where T : class, new()
    {
        var section = _schema.Sections.First(s => s.Type == typeof(T));
        var options = new T();
        (section.Name.Length == 0 ? Values : Values.GetSection(section.Name)).Bind(options);
        return options;
    }

    /// <summary>Transports and routes as they take effect: in Development, with none configured, mail is captured.</summary>
    public RoutingOptions Routing
    {
        get
        {
            var routing = Get<RoutingOptions>();
            if (IsDevelopment && string.IsNullOrWhiteSpace(routing.Transports))
                routing.Transports = "capture://";
            return routing;
        }
    }

    /// <summary>With the short form <c>POSTRIDER_ALLOW_RECIPIENTS</c> in its place.</summary>
    public SubmissionOptions Submission
    {
        get
        {
            var submission = Get<SubmissionOptions>();
            if (Get<PostriderOptions>().AllowRecipients is { Length: > 0 } allowed)
                submission.AllowRecipients = allowed;
            return submission;
        }
    }

    /// <summary>Every setting with its effective value and where it comes from; secrets are masked.</summary>
    public IEnumerable<ShownSetting> Show()
    {
        foreach (var section in _schema.Sections)
        {
            var options = Instance(section);
            foreach (var setting in _schema.Of(section))
                yield return new ShownSetting(
                    setting.Key, Masked(setting, setting.Property.GetValue(options)),
                    _winners.GetValueOrDefault(ConfigurationEntry.PlainKey(setting.Key))?.Origin ?? "default");
        }
    }

    /// <summary>Adds a fault or a rule of several settings, at the place where <paramref name="key"/> was given.</summary>
    internal void Fault(string key, string what) => _faults.Add($"{OriginOf(key)}: {key}: {what}");
    internal void Warn(string key, string what) => _warnings.Add($"{OriginOf(key)}: {key}: {what}");

    /// <summary>Where a setting was given, or "default".</summary>
    internal string OriginOf(string key)
    {
        var plain = ConfigurationEntry.PlainKey(key);
        var given = _winners.GetValueOrDefault(plain)
            ?? _winners.FirstOrDefault(w => w.Key.StartsWith(plain + ":", StringComparison.Ordinal)).Value; // a whole section: Rules:0
        return given?.Origin ?? "default";
    }

    static string EnvironmentOf(IDictionary variables)
    {
        var name = variables["POSTRIDER_ENVIRONMENT"] ?? variables["ASPNETCORE_ENVIRONMENT"] ?? variables["DOTNET_ENVIRONMENT"];
        return string.Equals(name as string, "Development", StringComparison.OrdinalIgnoreCase) ? "Development" : "Production";
    }

    IReadOnlyList<ConfigurationEntry> ReadFile(string? named)
    {
        var path = named ?? ConfigurationSources.DefaultFile;
        if (!File.Exists(path))
        {
            if (named is not null)
                _faults.Add($"{path}: no such file");
            return [];
        }
        try
        {
            var entries = ConfigurationSources.FromFile(path, _faults);
            if (entries.FirstOrDefault(HoldsSecret) is { } secret && SecretFiles.IsReadableByOthers(path))
                _faults.Add($"{secret.Origin}: the file holds a secret and others may read it; run chmod 600 {path}");
            return entries;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _faults.Add($"{path}: cannot be read: {e.Message}");
            return [];
        }
    }

    bool HoldsSecret(ConfigurationEntry entry) =>
        _schema.Find(entry) is { Setting: var setting }
            && ((setting.IsSecret && entry.Value is { Length: > 0 })
                || (setting.HasCredentials && Credentials().IsMatch(entry.Value ?? "")));

    void Take(IEnumerable<ConfigurationEntry> entries)
    {
        foreach (var entry in entries)
            if (_schema.Find(entry) is { Entry: var known })
                _winners[entry.Plain] = known;
            else
                _faults.Add($"{entry.Origin}: there is no setting \"{entry.Key}\"{Hint(_schema.Nearest(entry))}");
    }

    static string Hint(string? near) => near is null ? "" : $"; did you mean \"{near}\"?";

    void Bind()
    {
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var entry in _winners.Values)
            if (_schema.Find(entry)!.Value.Setting.TryNormalize(entry.Value, out var normal, out var fault))
                values[entry.Key] = normal;
            else
                _faults.Add($"{entry.Origin}: {entry.Key}: {fault}");
        Values = new ConfigurationBuilder().AddInMemoryCollection(values).Build();
    }

    void Judge()
    {
        foreach (var section in _schema.Sections)
        {
            var options = Instance(section);
            foreach (var setting in _schema.Of(section))
                if (setting.Against(options) is { } fault)
                    Fault(setting.Key, fault);
        }
        ConfigurationRules.Judge(this);
    }

    object Instance(ConfigurationSection section)
    {
        var options = Activator.CreateInstance(section.Type)!;
        (section.Name.Length == 0 ? Values : Values.GetSection(section.Name)).Bind(options);
        return options;
    }

    static string Masked(Setting setting, object? value) => value switch
    {
        null => "",
        string { Length: > 0 } when setting.IsSecret => "***",
        string text when setting.HasCredentials => SecretParts().Replace(Credentials().Replace(text, "://***@"), "$1***"),
        TimeSpan span => Durations.Format(span),
        _ => Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture) ?? "",
    };

    // To the last @ of the word: a password with an unescaped @ or / in it is a secret all the same.
    [GeneratedRegex(@"://\S*@", RegexOptions.NonBacktracking)]
    private static partial Regex Credentials();

    // Options of a DSN that are secrets themselves: callback_key=….
    [GeneratedRegex(@"([?&][a-z_]*(?:key|secret|password|token)=)[^&\s]*", RegexOptions.NonBacktracking | RegexOptions.IgnoreCase)]
    private static partial Regex SecretParts();
}

/// <summary>A setting as <c>config show</c> prints it.</summary>
public sealed record ShownSetting(string Key, string Value, string Origin);
