using System.Globalization;
using System.Text;
using System.Text.Json;
using Postrider.Batches;
using Postrider.Messages;
using Postrider.Submission;
using Postrider.Suppression;

namespace Postrider.Api;

/// <summary>Reads what is to go on the suppression list, from a body or from a row of a file.</summary>
static class SuppressionReader
{
    const int MaxReasonLength = 500;

    /// <summary>What a row says beside its address; when it was put on the list an export says, and nobody reads.</summary>
    static readonly string[] Fields = ["stream", "cause", "reason", "expires_at", "created_at"];

    /// <summary>Null: <paramref name="problem"/> says why.</summary>
    public static SuppressedAddress? Read(JsonElement body, Submitter submitter, DateTimeOffset now, out Problem? problem)
    {
        var faults = new ShapeFaults();
        string? email = null;
        var added = Empty(now);
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                if (member.NameEquals("email"u8))
                    email = faults.Text(member.Value, "/email");
                else if (member.Name is not ("stream" or "reason" or "cause" or "expires_at"))
                    faults.Unknown(ShapeFaults.Below("", member.Name));
                else
                    Take(ref added, member.Name, faults.Text(member.Value, ShapeFaults.Below("", member.Name)), "/", faults);
        if (email is null && !faults.Any)
            faults.Invalid("/email", "Say which address.");
        problem = faults.Any ? faults.ToProblem() : null;
        if (problem is not null)
            return null;
        var mailbox = submitter.ReadDestination(new AddressText(email!, null, IsAddressOnly: true), "/email", out problem);
        return mailbox is null ? null : added with { Email = mailbox.Address.ToString() };
    }

    /// <summary>A column that is misspelt would put more on the list than was meant, so all must be known. Null: they are.</summary>
    public static Problem? OfColumns(IReadOnlyList<string> names)
    {
        var faults = new ShapeFaults();
        foreach (var name in names.Except(Fields))
            faults.Add("", "unknown-field", $"There is no column {name} here; there are email, name, {string.Join(", ", Fields)}. "
                + "Correct its name, or take the column out.");
        return faults.Any ? faults.ToProblem() : null;
    }

    /// <summary>The same of a row: further columns are fields of its data; a name is passed over.</summary>
    public static SuppressedAddress? OfRow(StoredDestination row, MailStream? stream, DateTimeOffset now, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var added = Empty(now) with { Email = row.Email, Stream = stream };
        if (row.Data is { } data)
            foreach (var member in JsonElement.Parse(data).EnumerateObject())
                if (!Fields.Contains(member.Name))
                    faults.Unknown(member.Name);
                else if (faults.Text(member.Value, member.Name) is { Length: > 0 } text)
                    Take(ref added, member.Name, text, "", faults);
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? added : null;
    }

    public static MailStream? Stream(string? text, string pointer, ShapeFaults faults)
    {
        switch (text)
        {
            case null: return null;
            case "transactional": return MailStream.Transactional;
            case "bulk": return MailStream.Bulk;
            default:
                faults.Invalid(pointer, "stream must be transactional or bulk; without it all mail is meant.");
                return null;
        }
    }

    static SuppressedAddress Empty(DateTimeOffset now) => new(null, null, SuppressionCause.Manual, "", null, now, null);

    static void Take(ref SuppressedAddress added, string name, string? text, string root, ShapeFaults faults)
    {
        var pointer = root + name;
        switch (name)
        {
            case "stream":
                added = added with { Stream = Stream(text, pointer, faults) ?? added.Stream };
                break;
            case "reason":
                if (text?.Length > MaxReasonLength)
                    faults.Invalid(pointer, $"reason must have at most {MaxReasonLength} characters.");
                added = added with { Reason = text ?? "" };
                break;
            case "cause":
                if (text is not null && !ListQuery.TryWord<SuppressionCause>(text, out _))
                    faults.Invalid(pointer, "cause must be bounced, complained, unsubscribed or manual.");
                else if (text is not null && ListQuery.TryWord<SuppressionCause>(text, out var cause))
                    added = added with { Cause = cause };
                break;
            case "expires_at":
                TakeEnd(ref added, text, pointer, faults);
                break;
            default: break;
        }
    }

    static void TakeEnd(ref SuppressedAddress added, string? text, string pointer, ShapeFaults faults)
    {
        if (text is null)
            return;
        if (!TimeText.TryParseInstant(text, out var until))
            faults.Invalid(pointer, "expires_at must be an instant with a zone, such as 2027-01-31T00:00:00Z.");
        else if (until <= added.At)
            faults.Invalid(pointer, "expires_at must be in the future.");
        else
            added = added with { Until = until };
    }
}

/// <summary>What <c>GET /suppressions</c> is asked for.</summary>
readonly record struct SuppressionQuery(string? Email, SuppressionCause? Cause, SuppressionPlace? After, int Limit, bool IsCsv)
{
    public static readonly DocumentedParameters Parameters = new(
    [
        new("email", "Of this address."), new("cause", "bounced, complained, unsubscribed or manual."),
        new("limit", "1 to 100. Default 20."),
        new("after", "next of the page before: what is older."),
        new("format", "csv: all of them as a file; formulas are made harmless by an apostrophe."),
    ]);

    /// <summary>Null: it could be read.</summary>
    public static Problem? Read(IQueryCollection parameters, Submitter submitter, out SuppressionQuery read)
    {
        var query = new ListQuery(parameters, Parameters);
        string? email = null;
        Problem? unread = null;
        if (query.Text("email") is { } address)
            email = submitter.ReadDestination(new AddressText(address, null, IsAddressOnly: true), "", out unread)?.Address.ToString();
        read = new SuppressionQuery(email, query.Word<SuppressionCause>("cause"), query.Cursor<SuppressionPlace>("after", TryPlace),
            query.Limit(), query.IsCsv());
        return unread ?? query.Problem;
    }

    public static string Write(SuppressionPlace place) => Convert.ToHexStringLower(Encoding.ASCII.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"{place.AtMs} {place.Hash} {place.Stream}")));

    public static bool TryPlace(ReadOnlySpan<char> cursor, out SuppressionPlace place)
    {
        place = default;
        var bytes = new byte[100];
        if (cursor.Length > 200 || Convert.FromHexString(cursor, bytes, out _, out var length) != System.Buffers.OperationStatus.Done
            || Encoding.ASCII.GetString(bytes, 0, length).Split(' ') is not [var at, var hash, var stream]
            || !long.TryParse(at, CultureInfo.InvariantCulture, out var ms) || hash.Length > 64 || hash.Length % 2 != 0
            || !hash.All(char.IsAsciiHexDigit) || !int.TryParse(stream, CultureInfo.InvariantCulture, out var number))
            return false;
        place = new SuppressionPlace(ms, hash, number);
        return true;
    }
}
