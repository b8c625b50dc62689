using System.Globalization;
using Microsoft.Extensions.Primitives;
using Postrider.Api;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Dashboard.Screens;

/// <summary>What an address of the list of messages, or of its file, asks for.</summary>
/// <param name="IsFiltered">Not all of them.</param>
/// <param name="Id">Typed into the box at the top: of a message, a batch or a schedule.</param>
sealed record MessageSearch(MessageFilter Filter, Problem? Problem, bool IsFiltered, MessageId? Id)
{
    // What a field for a local time sends: without a zone, with seconds or without.
    static readonly string[] LocalForms = ["yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ss.FFF"];

    /// <summary>Whether it can be no address, as it has nothing before its <c>@</c>, or nothing behind it.</summary>
    public static bool IsPartOfAddress(string text) =>
        text.IndexOf('@', StringComparison.Ordinal) is var at && (at <= 0 || at == text.Length - 1);

    /// <param name="query">As forms send it: with the fields that were left empty, and <c>q</c> of the box at the top.</param>
    /// <param name="zone">Whose clock times are of that name none.</param>
    public static MessageSearch Read(IEnumerable<KeyValuePair<string, StringValues>> query, TimeZoneInfo zone)
    {
        var asked = query.Where(p => p.Value.ToString().Trim().Length > 0).ToDictionary(p => p.Key, p => p.Value);
        foreach (var name in new[] { "from", "until" })
            if (asked.TryGetValue(name, out var typed) && DateTime.TryParseExact(
                typed.ToString().Trim(), LocalForms, CultureInfo.InvariantCulture, DateTimeStyles.None, out var local))
                asked[name] = Times.Iso(Times.At(local, zone));
        MessageId? typedId = null;
        if (asked.Remove("q", out var words))
        {
            var text = words.ToString().Trim();
            if (MessageId.TryParse(text, out var id))
                typedId = id;
            var (parameter, value) = SearchBox.Read(text);
            asked[parameter] = value;
        }
        var list = new ListQuery(new QueryCollection(asked), EmailQuery.Parameters);
        var filter = EmailQuery.Read(list);
        return new MessageSearch(filter, list.Problem, asked.Count > 0, typedId);
    }
}

/// <summary>What is typed into the one box: an address, <c>tag:NAME</c>, a state, or a part of the subject.</summary>
static class SearchBox
{
    const string Tag = "tag:";

    /// <returns>The parameter of the list, and its value.</returns>
    public static (string Name, string Value) Read(string text) => text switch
    {
        _ when text.StartsWith(Tag, StringComparison.OrdinalIgnoreCase) => ("tag", text[Tag.Length..].Trim()),
        _ when text.Contains('@', StringComparison.Ordinal) && !text.Contains(' ', StringComparison.Ordinal) => ("address", text),
        _ when Enum.GetNames<RecipientState>().Contains(text, StringComparer.OrdinalIgnoreCase) => ("state", text.ToLowerInvariant()),
        _ => ("subject", text),
    };
}
