using System.Collections.Concurrent;
using System.Text;
using Postrider.Testing;

namespace Postrider.EndToEnd.Metrics;

/// <summary>A span as it was exported.</summary>
/// <param name="Parent">Empty: it has none.</param>
/// <param name="Links">The traces that it is linked to.</param>
/// <param name="Process">The resource's service.instance.id.</param>
public sealed record ExportedSpan(
    string Trace, string Id, string Parent, string Name, IReadOnlyDictionary<string, string> Tags, IReadOnlyList<string> Links,
    string Process);

/// <summary>A collector of OpenTelemetry for tests: takes OTLP over HTTP (protobuf) and reads the spans in it.</summary>
public sealed class OtlpReceiver : IAsyncDisposable
{
    readonly ConcurrentQueue<ExportedSpan> _spans = new();
    readonly HttpStub _stub;
    readonly ConcurrentDictionary<string, bool> _metrics = new();

    public OtlpReceiver() => _stub = HttpStub.Start(Take);

    public Uri Url => _stub.Url;
    public IReadOnlyList<ExportedSpan> Spans => [.. _spans];

    /// <summary>The names of all instruments that were exported.</summary>
    public IReadOnlySet<string> Metrics => _metrics.Keys.ToHashSet();

    HttpReply Take(HttpCall call)
    {
        if (call.Target == "/v1/traces")
            ReadTraces(call.Body);
        else if (call.Target == "/v1/metrics")
            ReadMetrics(call.Body);
        return new HttpReply(200, "", "application/x-protobuf");
    }

    // opentelemetry/proto/trace/v1/trace.proto: the numbers of the fields.
    void ReadTraces(byte[] body)
    {
        foreach (var resourceSpans in Fields(body, 1))
        {
            var process = Fields(resourceSpans, 1).SelectMany(resource => Fields(resource, 1)).Select(Attribute)
                .FirstOrDefault(one => one.Key == "service.instance.id").Value ?? "";
            foreach (var span in Fields(resourceSpans, 2).SelectMany(scope => Fields(scope, 2)))
            {
                _spans.Enqueue(new ExportedSpan(
                    Hex(span, 1), Hex(span, 2), Hex(span, 4), Encoding.UTF8.GetString(Fields(span, 5).Single().Span),
                    Fields(span, 9).Select(Attribute).ToDictionary(one => one.Key, one => one.Value),
                    [.. Fields(span, 13).Select(link => Hex(link, 1))], process));
            }
        }
    }

    // opentelemetry/proto/metrics/v1/metrics.proto.
    void ReadMetrics(byte[] body)
    {
        foreach (var metric in Fields(body, 1).SelectMany(resource => Fields(resource, 2)).SelectMany(scope => Fields(scope, 2)))
            _metrics[Encoding.UTF8.GetString(Fields(metric, 1).Single().Span)] = true;
    }

    static KeyValuePair<string, string> Attribute(ReadOnlyMemory<byte> bytes) => new(
        Encoding.UTF8.GetString(Fields(bytes, 1).Single().Span),
        Fields(bytes, 2).SelectMany(value => Fields(value, 1)).Select(text => Encoding.UTF8.GetString(text.Span)).FirstOrDefault() ?? "");

    static string Hex(ReadOnlyMemory<byte> message, int field) =>
        Convert.ToHexStringLower(Fields(message, field).FirstOrDefault().Span);

    /// <summary>The length-delimited fields of one number (protobuf encoding: wire types 0, 1, 2 and 5).</summary>
    static List<ReadOnlyMemory<byte>> Fields(ReadOnlyMemory<byte> message, int number)
    {
        var found = new List<ReadOnlyMemory<byte>>();
        for (var at = 0; at < message.Length;)
        {
            var key = Number(message.Span, ref at);
            switch (key & 7)
            {
                case 0:
                    Number(message.Span, ref at);
                    break;
                case 1:
                    at += 8;
                    break;
                case 5:
                    at += 4;
                    break;
                default:
                    var length = (int)Number(message.Span, ref at);
                    if ((int)(key >> 3) == number)
                        found.Add(message.Slice(at, length));
                    at += length;
                    break;
            }
        }
        return found;
    }

    static ulong Number(ReadOnlySpan<byte> bytes, ref int at)
    {
        var value = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var one = bytes[at++];
            value |= (ulong)(one & 0x7F) << shift;
            if (one < 0x80)
                return value;
        }
    }

    public ValueTask DisposeAsync() => _stub.DisposeAsync();
}
