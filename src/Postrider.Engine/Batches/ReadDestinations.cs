using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Postrider.Messages;
using Postrider.Submission;

namespace Postrider.Batches;

/// <summary>One line of a body with destinations: a destination, a fault, or neither (a header, a blank line).</summary>
/// <param name="LastLine">Where it ends, from 1.</param>
public readonly record struct DestinationLine(long LastLine, StoredDestination? Destination, DestinationFault? Fault)
{
    /// <summary>Nothing behind it can be read.</summary>
    public bool IsLast { get; init; }

    /// <summary>As it came; null of what did not come by lines.</summary>
    public IReadOnlyList<string>? Text { get; init; }
}

/// <summary>Reads destinations out of a body of any length: CSV with a header, or one JSON value a line. What is wrong with a line is that
/// line's fault.</summary>
/// <param name="submitter">Reads addresses by the rules that mail is accepted by.</param>
public sealed class ReadDestinations(Submitter submitter)
{
    /// <summary>In UTF-16 units.</summary>
    const int MaxLineLength = 1_000_000;

    static readonly string[] EmailNames = ["email", "e-mail", "mail", "email address", "e-mail address", "mail address", "email_address"];
    static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };
    static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>UTF-8, or what a byte-order mark says.</summary>
    public static StreamReader Open(Stream body) => new(body, Encoding.UTF8, detectEncodingFromByteOrderMarks: true, bufferSize: 32 * 1024);

    /// <param name="map">The column of each field, where its header is another one: <c>name</c> → <c>Full Name</c>.</param>
    /// <param name="delimiter">Null: found out.</param>
    /// <param name="header">The columns of a text without a header; null: its first line names them.</param>
    /// <param name="refuse">Why the fields beside address and name are refused; null: all are taken.</param>
    /// <param name="onProblem">Told when nothing can be read: there is no column of addresses, or one is refused.</param>
    public async IAsyncEnumerable<DestinationLine> CsvAsync(TextReader text, IReadOnlyDictionary<string, string> map, char? delimiter,
        IReadOnlyList<string>? header, Func<IReadOnlyList<string>, Problem?>? refuse, Action<Problem> onProblem,
        [EnumeratorCancellation] CancellationToken ct)
    {
        var reader = new CsvReader(text, delimiter);
        var first = header is null ? await reader.ReadAsync(ct) : new CsvRecord(0, 0, header, null, IsBroken: false);
        if (first is null)
            yield break;
        if (Columns.Of(first, map, out var problem) is not { } columns)
        {
            onProblem(problem!);
            yield break;
        }
        if (refuse?.Invoke([.. columns.Data.Select(column => column.Field)]) is { } refusal)
        {
            onProblem(refusal);
            yield break;
        }
        yield return new DestinationLine(first.LastLine, null, null) { Text = first.Fields };
        while (await reader.ReadAsync(ct) is { } record)
            yield return (record.IsBlank ? new DestinationLine(record.LastLine, null, null) : columns.Read(record, submitter)) with
            {
                Text = record.Fields,
            };
    }

    /// <summary>Which columns are taken for the address and the display name where nothing else is said; below 0: none.</summary>
    public static (int Email, int Name) Guess(IReadOnlyList<string> header)
    {
        List<string> names = [.. header.Select(n => n.Trim())];
        return (names.FindIndex(n => EmailNames.Contains(n, StringComparer.OrdinalIgnoreCase)),
            names.FindIndex(n => n.Equals("name", StringComparison.OrdinalIgnoreCase)));
    }

    /// <summary>The elements of a list, numbered from 1.</summary>
    public IReadOnlyList<DestinationLine> Of(JsonElement list) => [.. list.EnumerateArray().Select((one, i) => One(one, i + 1))];

    /// <summary>Each line <c>{"email","name","data"}</c>, or an address as a text.</summary>
    public async IAsyncEnumerable<DestinationLine> LinesAsync(TextReader text, [EnumeratorCancellation] CancellationToken ct)
    {
        var line = new StringBuilder();
        var buffer = new char[16 * 1024];
        var number = 0L;
        int read;
        do
        {
            read = await text.ReadAsync(buffer.AsMemory(), ct);
            for (int at = 0, end; at < read; at = end + 1)
            {
                end = Array.IndexOf(buffer, '\n', at, read - at);
                line.Append(buffer, at, (end < 0 ? read : end) - at);
                if (line.Length > MaxLineLength)
                {
                    yield return Faulty(number + 1, null, "too-large", $"The line has more than {MaxLineLength:N0} characters.") with { IsLast = true };
                    yield break;
                }
                if (end < 0)
                    break;
                yield return Line(line, ++number);
            }
        }
        while (read > 0);
        if (line.Length > 0)
            yield return Line(line, ++number);
    }

    DestinationLine Line(StringBuilder text, long number)
    {
        var line = text.ToString();
        text.Clear();
        return Line(line, number) with { Text = [line] };
    }

    DestinationLine Line(string line, long number)
    {
        if (string.IsNullOrWhiteSpace(line))
            return new DestinationLine(number, null, null);
        if (line.Contains('\uFFFD'))
            return NotText(number, number, null);
        try
        {
            using var document = JsonDocument.Parse(line, Strict);
            return One(document.RootElement, number);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return Faulty(number, null, "malformed-json", "The line is not one JSON value, or its object has the same member twice.");
        }
    }

    DestinationLine One(JsonElement value, long number)
    {
        if (value.ValueKind == JsonValueKind.String)
            return Read(submitter, number, number, new AddressText(value.GetString()!), null);
        if (value.ValueKind != JsonValueKind.Object)
            return Faulty(number, null, "invalid-field", "A destination is a text, or an object with an email.");
        string? email = null, name = null, data = null;
        foreach (var member in value.EnumerateObject())
            switch (member.Name, member.Value.ValueKind)
            {
                case (_, JsonValueKind.Null): break;
                case ("email", JsonValueKind.String): email = member.Value.GetString(); break;
                case ("name", JsonValueKind.String): name = member.Value.GetString(); break;
                case ("data", JsonValueKind.Object): data = member.Value.GetRawText(); break;
                case ("email" or "name" or "data", _):
                    return Faulty(number, email, "invalid-field", $"{member.Name} must be {(member.NameEquals("data") ? "an object" : "a text")}.");
                default: return Faulty(number, email, "unknown-field", $"There is no field {member.Name} here: put it into data.");
            }
        return email is null
            ? Faulty(number, null, "invalid-field", "A destination needs an email.")
            : Read(submitter, number, number, new AddressText(email, name, IsAddressOnly: true), data);
    }

    static DestinationLine Read(Submitter submitter, long line, long lastLine, AddressText address, string? data)
    {
        if (submitter.ReadDestination(address, "", out var problem) is not { } mailbox)
            return new DestinationLine(lastLine, null, new DestinationFault(line, address.Text, problem!.Slug, problem.Detail));
        return data is not null && Destination.DataFault(Encoding.UTF8.GetByteCount(data)) is { } fault
            ? new DestinationLine(lastLine, null, new DestinationFault(line, address.Text, "invalid-field", fault))
            : new DestinationLine(lastLine, new StoredDestination(line, mailbox.Address.ToString(), mailbox.Name, data), null);
    }

    static DestinationLine Faulty(long line, string? email, string slug, string detail) =>
        new(line, null, new DestinationFault(line, email, slug, detail));

    static DestinationLine NotText(long line, long lastLine, string? email) => new(lastLine, null, new DestinationFault(
        line, email, "bad-encoding", "The line is not UTF-8. Save the file as UTF-8, or as UTF-16 with a byte-order mark."));

    /// <summary>Which column of a CSV file is what.</summary>
    sealed record Columns(IReadOnlyList<string> Headers, int Email, int Name, IReadOnlyList<(int At, string Field)> Data)
    {
        public static Columns? Of(CsvRecord header, IReadOnlyDictionary<string, string> map, out Problem? problem)
        {
            List<string> names = [.. header.Fields.Select(f => f.Trim())];
            problem = header.Fault is { } fault ? Bad($"The header is broken: {fault}")
                : header.Fields.Any(f => f.Contains('\uFFFD') || f.Contains('\0'))
                    ? Bad("The header is neither UTF-8 nor UTF-16 with a byte-order mark.")
                : names.Where(n => n.Length > 0).GroupBy(n => n).FirstOrDefault(g => g.Count() > 1) is { } twice
                    ? Bad($"The header names the column '{Shown(twice.Key)}' twice.")
                : map.FirstOrDefault(m => !names.Contains(m.Value)) is { Key: not null } missing
                    ? Bad($"map names the column '{Shown(missing.Value)}', and the header has: {Shown(string.Join(", ", names))}.")
                : null;
            if (problem is not null)
                return null;
            var guess = Guess(names);
            var email = map.TryGetValue("email", out var mapped) ? names.IndexOf(mapped) : guess.Email;
            var name = map.TryGetValue("name", out mapped) ? names.IndexOf(mapped) : guess.Name;
            if (email < 0)
            {
                problem = Bad($"No column is named email; say which one it is: ?map=email:COLUMN. The header has: {Shown(string.Join(", ", names))}.");
                return null;
            }
            var fields = map.ToDictionary(m => m.Value, m => m.Key);
            return new Columns(names, email, name,
                [.. names.Index().Where(n => n.Index != email && n.Index != name && n.Item.Length > 0)
                    .Select(n => (n.Index, fields.GetValueOrDefault(n.Item, n.Item)))]);
        }

        static Problem Bad(string detail) => new("bad-csv", 422, "Bad CSV", detail);
        static string Shown(string text) => text.Length <= 200 ? text : text[..200] + "…";

        public DestinationLine Read(CsvRecord record, Submitter submitter)
        {
            var email = record.Fields.Count > Email ? record.Fields[Email].Trim() : null;
            DestinationLine Fault(string slug, string detail) =>
                new(record.LastLine, null, new DestinationFault(record.Line, email, slug, detail)) { IsLast = record.IsBroken };
            if (record.Fault is { } fault)
                return Fault("bad-csv", fault);
            if (record.Fields.Count != Headers.Count)
                return Fault("bad-csv", $"The line has {record.Fields.Count} fields, the header {Headers.Count}.");
            if (record.Fields.Any(f => f.Contains('\uFFFD')))
                return NotText(record.Line, record.LastLine, email);
            var name = Name < 0 ? "" : record.Fields[Name].Trim();
            return ReadDestinations.Read(submitter, record.Line, record.LastLine,
                new AddressText(email!, name.Length == 0 ? null : name, IsAddressOnly: true), DataOf(record));
        }

        string? DataOf(CsvRecord record)
        {
            if (Data.Count == 0)
                return null;
            using var bytes = new MemoryStream();
            using (var writer = new Utf8JsonWriter(bytes, Readable))
            {
                writer.WriteStartObject();
                foreach (var (at, field) in Data)
                    writer.WriteString(field, record.Fields[at]);
                writer.WriteEndObject();
            }
            return Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
        }
    }
}
