using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Postrider.Hosting;

/// <summary>Reads what was configured, from the weakest source to the strongest: file, environment, command line. Judges nothing but its
/// syntax.</summary>
static class ConfigurationSources
{
    public const string DefaultFile = "postrider.json";
    public const string TestMode = "POSTRIDER_TESTING";
    const string Prefix = "POSTRIDER_";
    const int MaxFileBytes = 1 << 20;

    // Ours, but no settings of the server: the client's address and key, the configuration file, switches of the test-suite.
    static readonly HashSet<string> NotSettings = new(StringComparer.OrdinalIgnoreCase)
    {
        "POSTRIDER_CONFIG", "POSTRIDER_URL", "POSTRIDER_ENVIRONMENT", "POSTRIDER_CHECK",
    };

    /// <summary><c>--key value</c>, <c>--key=value</c>; sections with a colon: <c>--Server:MaxConnections 500</c>.</summary>
    public static IEnumerable<ConfigurationEntry> FromCommandLine(IReadOnlyList<string> args, List<string> faults)
    {
        for (var i = 0; i < args.Count; i++)
        {
            if (!args[i].StartsWith("--", StringComparison.Ordinal) || args[i].Length == 2)
            {
                faults.Add($"command line: \"{args[i]}\" is not a setting; write --name value or --name=value");
                continue;
            }
            var equals = args[i].IndexOf('=', StringComparison.Ordinal);
            var key = equals < 0 ? args[i][2..] : args[i][2..equals];
            if (equals < 0 && i + 1 == args.Count)
            {
                faults.Add($"command line: --{key} has no value");
                continue;
            }
            var value = equals < 0 ? args[++i] : args[i][(equals + 1)..];
            yield return new ConfigurationEntry(key.Replace('-', '_'), value, $"command line --{key}");
        }
    }

    /// <summary><c>POSTRIDER_PUBLIC_URL</c> is <c>PublicUrl</c>, <c>POSTRIDER_SERVER__MAX_CONNECTIONS</c> is
    /// <c>Server:MaxConnections</c>.</summary>
    public static IEnumerable<ConfigurationEntry> FromEnvironment(IDictionary variables)
    {
        foreach (DictionaryEntry variable in variables)
            if (variable.Key is string name && name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) && !NotSettings.Contains(name)
                && !IsTestSwitch(name, variables))
                yield return new ConfigurationEntry(
                    name[Prefix.Length..].Replace("__", ":", StringComparison.Ordinal).ToLowerInvariant(), (string?)variable.Value,
                    $"environment {name}");
    }

    /// <summary>Switches of the test mode are no settings while it is on; without it they are unknown, and refused as such.</summary>
    static bool IsTestSwitch(string name, IDictionary variables) =>
        name.StartsWith(TestMode, StringComparison.Ordinal) && variables[TestMode] as string == "1";

    /// <summary>Objects are sections, arrays are lists. Comments and trailing commas are allowed; a key given twice is a fault.</summary>
    public static IReadOnlyList<ConfigurationEntry> FromFile(string path, List<string> faults)
    {
        var name = Path.GetFileName(path);
        var bytes = File.ReadAllBytes(path);
        if (bytes.Length > MaxFileBytes)
        {
            faults.Add($"{name}:1: the file is larger than {MaxFileBytes} bytes");
            return [];
        }
        var content = bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes.AsSpan(3) : bytes;
        try
        {
            return new FileReader(name, faults).Read(content);
        }
        catch (JsonException e)
        {
            faults.Add($"{name}:{e.LineNumber + 1}: not valid JSON");
            return [];
        }
        catch (InvalidOperationException) // the reader's word for text that is not UTF-8
        {
            faults.Add($"{name}:1: not valid UTF-8");
            return [];
        }
    }

    /// <summary>Walks one file; knows the line of each key.</summary>
    sealed class FileReader(string name, List<string> faults)
    {
        readonly List<ConfigurationEntry> _entries = [];
        readonly HashSet<string> _seen = new(StringComparer.Ordinal);

        public List<ConfigurationEntry> Read(ReadOnlySpan<byte> json)
        {
            var reader = new Utf8JsonReader(
                json, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
                faults.Add($"{name}:1: the file must be one JSON object");
            else
                ReadObject(ref reader, json, "");
            reader.Read(); // throws when something follows
            return _entries;
        }

        void ReadObject(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, string section)
        {
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var origin = $"{name}:{json[..(int)reader.TokenStartIndex].Count((byte)'\n') + 1}";
                var key = section + reader.GetString();
                reader.Read();
                if (!_seen.Add(ConfigurationEntry.PlainKey(key)))
                    faults.Add($"{origin}: \"{key}\" is given twice");
                else if (reader.TokenType == JsonTokenType.StartObject)
                    ReadObject(ref reader, json, key + ":");
                else if (reader.TokenType == JsonTokenType.StartArray)
                    ReadList(ref reader, json, key, origin);
                else
                    _entries.Add(new ConfigurationEntry(key, Scalar(ref reader), origin));
            }
        }

        // Texts become one setting, separated by blanks; objects become numbered sections.
        void ReadList(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, string key, string origin)
        {
            var texts = new List<string>();
            var objects = 0;
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                if (reader.TokenType == JsonTokenType.StartObject)
                    ReadObject(ref reader, json, string.Create(CultureInfo.InvariantCulture, $"{key}:{objects++}:"));
                else if (reader.TokenType == JsonTokenType.StartArray)
                    reader.Skip();
                else
                    texts.Add(Scalar(ref reader) ?? "");
            if (texts.Count > 0 || objects == 0)
                _entries.Add(new ConfigurationEntry(key, string.Join(' ', texts), origin));
        }

        static string? Scalar(ref Utf8JsonReader reader) => reader.TokenType switch
        {
            JsonTokenType.String => reader.GetString(),
            JsonTokenType.True => "true",
            JsonTokenType.False => "false",
            JsonTokenType.Number => Encoding.UTF8.GetString(reader.ValueSpan),
            _ => null,
        };
    }
}
