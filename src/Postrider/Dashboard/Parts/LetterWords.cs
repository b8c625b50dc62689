namespace Postrider.Dashboard.Parts;

/// <summary>Why letters died, for people.</summary>
static class LetterWords
{
    /// <summary>As <c>docs/dead-letters.md</c> says it; a word that is not known says itself.</summary>
    public static string Reason(string reason) => reason switch
    {
        "deferred" => "the recipients' side kept saying: later",
        "throttled" => "the provider kept asking to slow down",
        "unreachable" => "the provider could not be reached",
        "rejected" => "refused for good",
        "refused" => "the provider does not want it from us",
        "unfit" => "no transport can carry it as it is",
        "not_sent" => "the provider took it and did not send it",
        "given_up" => "nothing was left to try",
        "transports_unavailable" => "no transport worked until its time was up",
        "transport_throttled" => "limits let it through too late",
        "ordering" => "it waited for an earlier one with its key",
        "paused" => "it was paused until its time was up",
        "ambiguous" => "it may have left: sending it again may make a duplicate",
        "poison" => "something in it breaks every attempt",
        "not_allowed" => "this system may not write to that address",
        _ => reason.Replace('_', ' '),
    };

    public static string Count(long count) => Numbers.Count(count, "letter");
}
