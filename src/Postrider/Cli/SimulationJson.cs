using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Postrider.Simulation;

namespace Postrider.Cli;

/// <summary>A simulation's result as one JSON object in one line.</summary>
static class SimulationJson
{
    public static string Write(SimulationResult result)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteNumber("delivered", result.Delivered);
            json.WriteNumber("failed", result.Failed);
            json.WriteNumber("expired", result.Expired);
            json.WriteNumber("tries", result.Tries);
            WriteDelay(json, "p50_ms", result.Percentile(50));
            WriteDelay(json, "p99_ms", result.Percentile(99));
            WriteDelay(json, "max_ms", result.Percentile(100));
            WriteVendors(json, result);
            WriteCircuit(json, result);
            json.WriteNumber("seed", result.Seed);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    static void WriteDelay(Utf8JsonWriter json, string name, long? delay)
    {
        if (delay is { } known)
            json.WriteNumber(name, known);
        else
            json.WriteNull(name);
    }

    static void WriteVendors(Utf8JsonWriter json, SimulationResult result)
    {
        json.WriteStartObject("vendors");
        foreach (var vendor in result.Vendors)
        {
            json.WriteStartObject(vendor.Name);
            json.WriteNumber("delivered", vendor.Delivered);
            json.WriteNumber("share", Math.Round(vendor.Share, 4));
            json.WriteNumber("tries", vendor.Tries);
            json.WriteStartObject("outcomes");
            foreach (var (outcome, count) in vendor.Outcomes)
                json.WriteNumber(outcome.ToString().ToLowerInvariant(), count);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    static void WriteCircuit(Utf8JsonWriter json, SimulationResult result)
    {
        json.WriteStartArray("circuit");
        foreach (var change in result.Circuit)
        {
            json.WriteStartObject();
            json.WriteNumber("at_ms", change.At);
            json.WriteString("vendor", change.Vendor);
            json.WriteString("state", change.State);
            json.WriteString("reason", change.Reason);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
