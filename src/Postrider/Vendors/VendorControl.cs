using System.Globalization;
using System.Text.Json;
using Postrider.Api;

namespace Postrider.Vendors;

/// <summary>The control calls of simulated vendors: <c>GET /vendors</c>, <c>POST /vendors/{name}/faults?latency=20ms&amp;fail=0.5</c> (puts
/// options over those that hold), <c>DELETE</c> of them, <c>GET</c> and <c>DELETE /vendors/{name}/mails</c>;
/// <c>GET /vendors/{name}/callback-key</c> is what verifies its callbacks.</summary>
static class VendorControl
{
    const int DefaultLimit = 100;

    public static void MapVendorControl(this IEndpointRouteBuilder app)
    {
        app.MapGet("/vendors", (VendorTown town, TimeProvider clock) => Write(writer =>
        {
            writer.WriteStartArray();
            foreach (var vendor in town.All)
                WriteVendor(writer, vendor, clock.GetUtcNow());
            writer.WriteEndArray();
        }));
        app.MapGet("/vendors/{name}/callback-key", IResult (string name, VendorTown town, VendorCallbacks callbacks) =>
            town.Find(name) is null ? NoSuchVendor(name) : Results.Text(callbacks.WriterOf(name).Key));
        app.MapPost("/vendors/{name}/faults", IResult (string name, HttpContext context, VendorTown town, TimeProvider clock) =>
        {
            if (town.Find(name) is not { } vendor)
                return NoSuchVendor(name);
            var faults = new List<string>();
            var options = context.Request.Query.Select(option => KeyValuePair.Create(option.Key, option.Value.ToString()));
            var changed = vendor.Faults.With(options, clock.GetUtcNow(), faults);
            if (faults.Count > 0)
                return new ProblemResult(ProblemCatalog.Make("invalid-field", string.Join("; ", faults)));
            vendor.Faults = changed;
            return Write(writer => WriteVendor(writer, vendor, clock.GetUtcNow()));
        });
        app.MapDelete("/vendors/{name}/faults", IResult (string name, VendorTown town, TimeProvider clock) =>
        {
            if (town.Find(name) is not { } vendor)
                return NoSuchVendor(name);
            vendor.Faults = new VendorFaults();
            return Write(writer => WriteVendor(writer, vendor, clock.GetUtcNow()));
        });
        app.MapGet("/vendors/{name}/mails", IResult (string name, HttpContext context, VendorTown town) =>
        {
            if (town.Find(name) is not { } vendor)
                return NoSuchVendor(name);
            var limit = int.TryParse(context.Request.Query["limit"], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                ? number : DefaultLimit;
            return Write(writer =>
            {
                writer.WriteStartArray();
                foreach (var mail in vendor.Mails.Take(limit))
                    WriteMail(writer, mail);
                writer.WriteEndArray();
            });
        });
        app.MapDelete("/vendors/{name}/mails", IResult (string name, VendorTown town) =>
        {
            if (town.Find(name) is not { } vendor)
                return NoSuchVendor(name);
            vendor.Clear();
            return Results.NoContent();
        });
    }

    static ProblemResult NoSuchVendor(string name) => new(ProblemCatalog.Make("not-found", $"There is no vendor '{name}'."));

    static void WriteVendor(Utf8JsonWriter writer, SimulatedVendor vendor, DateTimeOffset now)
    {
        writer.WriteStartObject();
        writer.WriteString("name"u8, vendor.Name);
        writer.WriteNumber("calls"u8, vendor.Calls);
        writer.WriteNumber("accepted"u8, vendor.Accepted);
        writer.WriteNumber("refused"u8, vendor.Refused);
        writer.WriteString("faults"u8, vendor.Faults.ToText(now));
        writer.WriteEndObject();
    }

    static void WriteMail(Utf8JsonWriter writer, VendorMail mail)
    {
        var content = mail.Content;
        writer.WriteStartObject();
        writer.WriteString("id"u8, mail.Id.ToString());
        writer.WriteString("at"u8, mail.At);
        writer.WriteString("postrider_id"u8, mail.CarriedId);
        writer.WriteString("from"u8, content.From.ToString());
        writer.WriteStartArray("recipients"u8);
        foreach (var recipient in mail.Submission.Recipients)
        {
            writer.WriteStartObject();
            writer.WriteString("email"u8, recipient.Mailbox.Address.ToString());
            writer.WriteString("name"u8, recipient.Mailbox.Name);
            writer.WriteString("kind"u8, recipient.Kind.ToString().ToLowerInvariant());
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteString("subject"u8, content.Subject);
        writer.WriteString("text"u8, content.Text);
        writer.WriteString("html"u8, content.Html);
        writer.WriteStartArray("tags"u8);
        foreach (var tag in mail.Submission.Tags)
            writer.WriteStringValue(tag);
        writer.WriteEndArray();
        writer.WriteStartObject("metadata"u8);
        foreach (var (name, value) in mail.Submission.Metadata)
            writer.WriteString(name, value);
        writer.WriteEndObject();
        if (content.Mime is { } mime)
            writer.WriteString("source"u8, mime.Span);
        writer.WriteEndObject();
    }

    static IResult Write(Action<Utf8JsonWriter> write) => Results.Bytes(ApiJson.Write(write), "application/json");
}
