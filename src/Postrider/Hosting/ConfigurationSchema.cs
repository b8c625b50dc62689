using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using Postrider.Messages;

namespace Postrider.Hosting;

/// <summary>Every setting there is, known from the options classes; says what is wrong with a value before anything is bound.</summary>
/// <remarks>Reflection, once at start: the alternative is a second list of all settings that has to be kept true by hand.</remarks>
sealed class ConfigurationSchema
{
    /// <summary>Stands in a key for a name that the operator chooses (<c>Routes:*:Retry</c>) or a place in a list.</summary>
    const string Any = "*";

    readonly Dictionary<string, Setting> _settings;

    public ConfigurationSchema(IReadOnlyList<ConfigurationSection> sections)
    {
        Sections = sections;
        _settings = sections.SelectMany(s => SettingsOf(s, s.Name, s.Type)).ToDictionary(
            s => ConfigurationEntry.PlainKey(s.Key), StringComparer.Ordinal);
    }

    public IReadOnlyList<ConfigurationSection> Sections { get; }

    /// <summary>Those of one options class that have a fixed key.</summary>
    public IEnumerable<Setting> Of(ConfigurationSection section) =>
        _settings.Values.Where(s => s.Section == section && !s.Key.Contains(Any, StringComparison.Ordinal));

    /// <summary>The entry with the key's canonical spelling, and what it sets; null when there is no such setting.</summary>
    public (ConfigurationEntry Entry, Setting Setting)? Find(ConfigurationEntry entry)
    {
        if (_settings.TryGetValue(entry.Plain, out var setting))
            return (entry with { Key = setting.Key }, setting);
        if (entry.Key.Split(':') is not [var section, var name, var rest]
            || !_settings.TryGetValue(ConfigurationEntry.PlainKey($"{section}:{Any}:{rest}"), out setting))
            return null;
        return (entry with { Key = setting.Key.Replace(Any, name, StringComparison.Ordinal) }, setting);
    }

    /// <summary>The known key that is spelled most like an unknown one, or null when none is near.</summary>
    public string? Nearest(ConfigurationEntry entry)
    {
        var (distance, setting) = _settings.Select(s => (Distance(entry.Plain, s.Key), s.Value)).MinBy(s => s.Item1);
        return distance <= Math.Max(2, entry.Plain.Length / 4) ? setting.Key : null;
    }

    static IEnumerable<Setting> SettingsOf(ConfigurationSection section, string prefix, Type type)
    {
        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(p => p.SetMethod is { IsPublic: true }))
        {
            var key = prefix.Length == 0 ? property.Name : $"{prefix}:{property.Name}";
            if (Setting.CanRead(property.PropertyType))
                yield return new Setting(key, section, property);
            else if (property.PropertyType is { IsGenericType: true } many)
                foreach (var setting in SettingsOf(section, $"{key}:{Any}", many.GetGenericArguments()[^1]))
                    yield return setting;
        }
    }

    // Levenshtein's distance by rows.
    static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)));
        }
        return row[b.Length];
    }
}

/// <summary>An options class and the section it is bound to; an empty name is the top.</summary>
sealed record ConfigurationSection(string Name, Type Type);

/// <summary>One setting.</summary>
sealed record Setting(string Key, ConfigurationSection Section, PropertyInfo Property)
{
    static readonly string[] Secrets =
    [
        nameof(PostriderOptions.ApiKey), nameof(PostriderOptions.MasterKey), nameof(PostriderOptions.CertificatePassword),
        // Chat services know who may post by the address alone.
        $"Alerts:{nameof(Alerts.AlertOptions.Webhook)}",
    ];

    Type Type => Nullable.GetUnderlyingType(Property.PropertyType) ?? Property.PropertyType;

    public bool IsSecret => Secrets.Contains(Key);

    /// <summary>A text with DSNs in it, whose credentials are masked.</summary>
    public bool HasCredentials => Key is nameof(Routing.RoutingOptions.Transports) or nameof(PostriderOptions.Store);

    public static bool CanRead(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsEnum || type == typeof(string) || type == typeof(bool) || type == typeof(int) || type == typeof(long)
            || type == typeof(double) || type == typeof(TimeSpan);
    }

    /// <summary>The value as the binder reads it. False: <paramref name="fault"/> says what it should be.</summary>
    public bool TryNormalize(string? value, out string? normal, out string fault)
    {
        normal = value;
        (var good, fault) = Type switch
        {
            _ when value is null || Type == typeof(string) => (true, ""),
            _ when Type == typeof(TimeSpan) => (IsDuration(value, out normal), "must be " + Durations.Form),
            _ when Type == typeof(bool) => (bool.TryParse(value, out _), "must be true or false"),
            _ when Type == typeof(double) =>
                (double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var d) && double.IsFinite(d),
                    "must be a number"),
            _ when Type.IsEnum =>
                (Enum.GetNames(Type).Contains(value, StringComparer.OrdinalIgnoreCase),
                    $"must be one of {string.Join(", ", Enum.GetNames(Type))}"),
            _ =>
                (long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var n)
                        && (Type == typeof(long) || n is >= int.MinValue and <= int.MaxValue),
                "must be a whole number"),
        };
        return good;
    }

    // The binder reads .NET's own form only. Nothing needs no unit; whether it is allowed is said by the range.
    static bool IsDuration(string text, out string? normal)
    {
        var plain = text.AsSpan().Trim();
        var good = Durations.TryParse(plain is "0" ? "0s" : plain, out var span);
        normal = good ? span.ToString("c", CultureInfo.InvariantCulture) : null;
        return good;
    }

    /// <summary>What the attributes on the property say against a value; null when nothing.</summary>
    public string? Against(object options)
    {
        var context = new ValidationContext(options) { MemberName = Property.Name, DisplayName = Key };
        if (Property.GetCustomAttribute<RangeAttribute>() is { } range && range.OperandType == typeof(TimeSpan)
            && !range.IsValid(Property.GetValue(options)))
            return $"must be between {Durations.Format((TimeSpan)range.Minimum)} and {Durations.Format((TimeSpan)range.Maximum)}";
        var fault = Property.GetCustomAttributes<ValidationAttribute>()
            .Select(rule => rule.GetValidationResult(Property.GetValue(options), context))
            .FirstOrDefault(result => result is not null)?.ErrorMessage;
        // "The field X must be between 1 and 5." The key is named in front already.
        return fault is null || !fault.StartsWith("The field", StringComparison.Ordinal)
            ? fault
            : fault[fault.IndexOf("must", StringComparison.Ordinal)..].TrimEnd('.');
    }
}
