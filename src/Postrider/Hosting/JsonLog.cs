using System.Buffers;
using System.Diagnostics;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Postrider.Messages;

namespace Postrider.Hosting;

/// <summary>How the log is written.</summary>
public enum LogForm
{
    /// <summary>A line for people.</summary>
    Text,
    /// <summary>A JSON object in each line, for machines.</summary>
    Json,
}

/// <summary>Writes each line of the log as one JSON object: time, level, logger, event, message, trace, and the message's
/// fields.</summary>
sealed class JsonLog(TimeProvider clock) : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "postrider-json";

    // For eyes as well as machines: no + or é as an escape. Nobody puts it into HTML.
    static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var bytes = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(bytes, Readable))
        {
            json.WriteStartObject();
            json.WriteString("time", clock.GetUtcNow().UtcDateTime);
            json.WriteString("level", logEntry.LogLevel.ToString().ToLowerInvariant());
            json.WriteString("logger", logEntry.Category);
            if (logEntry.EventId.Name is { } name)
                json.WriteString("event", name);
            json.WriteString("message", LogMask.InText(logEntry.Formatter(logEntry.State, logEntry.Exception)));
            if (Activity.Current is { } activity)
            {
                json.WriteString("trace_id", activity.TraceId.ToHexString());
                json.WriteString("span_id", activity.SpanId.ToHexString());
            }
            if (logEntry.State is IReadOnlyList<KeyValuePair<string, object?>> { Count: > 1 } fields)
                WriteFields(json, fields);
            if (logEntry.Exception is { } fault)
                json.WriteString("exception", LogMask.InText(fault.ToString()));
            json.WriteEndObject();
        }
        textWriter.WriteLine(Encoding.UTF8.GetString(bytes.WrittenSpan));
    }

    /// <summary>A line of what is said beside the log: before it begins, or once when the process is ready.</summary>
    /// <param name="fields">Shown as they are: nothing in them is masked.</param>
    public static string Line(LogLevel level, string name, string message, JsonObject? fields = null)
    {
        var line = new JsonObject
        {
            ["time"] = TimeProvider.System.GetUtcNow().UtcDateTime,
            ["level"] = level.ToString().ToLowerInvariant(),
            ["logger"] = "Postrider",
            ["event"] = name,
            ["message"] = message,
        };
        if (fields is not null)
            line["fields"] = fields;
        return line.ToJsonString(Plain);
    }

    static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    static void WriteFields(Utf8JsonWriter json, IReadOnlyList<KeyValuePair<string, object?>> fields)
    {
        json.WriteStartObject("fields");
        foreach (var (name, value) in fields)
        {
            if (name == "{OriginalFormat}")
                continue;
            json.WritePropertyName(JsonNamingPolicy.SnakeCaseLower.ConvertName(name));
            switch (value)
            {
                case null:
                    json.WriteNullValue();
                    break;
                case bool flag:
                    json.WriteBooleanValue(flag);
                    break;
                case int or long or short or byte:
                    json.WriteNumberValue(Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture));
                    break;
                default:
                    json.WriteStringValue(LogMask.InText(Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture) ?? ""));
                    break;
            }
        }
        json.WriteEndObject();
    }
}
