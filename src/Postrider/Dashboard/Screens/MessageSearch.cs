using Microsoft.Extensions.Primitives;
using Postrider.Api;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Dashboard.Screens;

/// <summary>What an address of the list of messages, or of its file, asks for.</summary>
/// <param name="IsFiltered">Not all of them.</param>
/// <param name="Message">The one whose id was typed into the box at the top.</param>
sealed record MessageSearch(MessageFilter Filter, Problem? Problem, bool IsFiltered, MessageId? Message)
{
    /// <param name="query">As forms send it: with the fields that were left empty, and <c>q</c> of the box at the top.</param>
    public static MessageSearch Read(IEnumerable<KeyValuePair<string, StringValues>> query)
    {
        var asked = query.Where(p => p.Value.ToString().Trim().Length > 0).ToDictionary(p => p.Key, p => p.Value);
        MessageId? message = null;
        if (asked.Remove("q", out var words))
        {
            var text = words.ToString().Trim();
            if (MessageId.TryParse(text, out var id))
                message = id;
            var (name, value) = SearchBox.Read(text);
            asked[name] = value;
        }
        var list = new ListQuery(new QueryCollection(asked), EmailQuery.Parameters);
        var filter = EmailQuery.Read(list);
        return new MessageSearch(filter, list.Problem, asked.Count > 0, message);
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
