using System.Collections.Concurrent;

namespace Postrider.Dashboard.Parts;

/// <summary>HTML that is being written in open pages, for the frames that show it: in memory alone, and gone with its page.</summary>
sealed class DraftBook(Entropy entropy)
{
    const int IdBytes = 16;

    readonly ConcurrentDictionary<string, Draft> _drafts = new(StringComparer.Ordinal);

    /// <summary>Keeps it until <see cref="Remove"/>.</summary>
    /// <returns>By what it is found, and by nobody guessed.</returns>
    public string Add(string sessionId, string html)
    {
        Span<byte> bytes = stackalloc byte[IdBytes];
        entropy.Fill(bytes);
        var id = Convert.ToHexStringLower(bytes);
        _drafts[id] = new Draft(sessionId, html);
        return id;
    }

    public void Remove(string id) => _drafts.TryRemove(id, out _);

    /// <summary>Null: it is not there any more, or is another session's.</summary>
    public string? Find(string id, string sessionId) =>
        _drafts.TryGetValue(id, out var draft) && draft.SessionId == sessionId ? draft.Html : null;

    readonly record struct Draft(string SessionId, string Html);
}
