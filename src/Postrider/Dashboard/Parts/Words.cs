namespace Postrider.Dashboard.Parts;

/// <summary>What the words of the API mean, for who points at them.</summary>
static class Words
{
    /// <summary>Null for a word that says it all.</summary>
    public static string? Meaning(string word) => word switch
    {
        "incomplete" => "Something of it is still to be done.",
        "complete" => "Every recipient was sent or delivered.",
        "scheduled" => "Waits for its time.",
        "queued" => "Waits for its turn, a retry, or a transport.",
        "leased" => "An attempt is under way.",
        "unknown" => "An attempt may have been accepted; it is being found out.",
        "held" => "Waits for a person.",
        "sent" => "A provider or mail server has taken it over.",
        "delivered" => "The recipient's side has reported that it arrived.",
        "bounced" => "Refused for good, or came back.",
        "failed" => "Given up: refused by all, or malformed.",
        "expired" => "Its time was up before it could be sent.",
        "suppressed" => "The address is on the suppression list; nothing was sent.",
        "cancelled" => "Ended by a person.",
        "accepted" => "The provider took responsibility.",
        "deferred" => "The recipient's side says: later.",
        "rejected" => "Refused for good.",
        "unfit" => "This transport cannot carry it; the next one is tried.",
        "refused" => "The provider does not want it from us; the next one is tried.",
        "throttled" => "The provider asks to slow down.",
        "unreachable" => "The provider could not be reached; nothing was sent.",
        "paused" => "Stopped by a person.",
        "unusable" => "It cannot be used as it is set up.",
        "stalled" => "It has not answered for a while; it gets nothing new.",
        "open" => "Its circuit is open after failures: mail takes other transports, and one try now and then shows whether it is back.",
        "half_open" => "One mail is tried to see whether it works again.",
        "ok" => "Works.",
        _ => null,
    };
}
