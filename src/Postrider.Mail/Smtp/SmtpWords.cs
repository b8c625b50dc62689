using System.Globalization;

namespace Postrider.Mail.Smtp;

/// <summary>What went wrong on the wire, for people who read a timeline and not the code.</summary>
static class SmtpWords
{
    const string MayBeAccepted = "after the whole message was sent; it may have been accepted";

    /// <param name="handed">All that was written in this phase was handed to the socket.</param>
    public static string NoAnswer(SmtpPhase phase, bool handed, TimeSpan waited)
    {
        var time = waited < TimeSpan.FromMinutes(2)
            ? string.Create(CultureInfo.InvariantCulture, $"{waited.TotalSeconds:0.#} s")
            : string.Create(CultureInfo.InvariantCulture, $"{waited.TotalMinutes:0.#} min");
        return phase switch
        {
            SmtpPhase.Connect => $"no connection within {time}",
            SmtpPhase.Banner => $"no greeting within {time}",
            SmtpPhase.FinalDot when handed => $"no answer within {time} {MayBeAccepted}",
            SmtpPhase.Content or SmtpPhase.FinalDot => $"the server took no more of the message within {time}; it has not been accepted",
            _ => $"no answer to {Command(phase)} within {time}",
        };
    }

    /// <param name="handed">As above.</param>
    public static string When(SmtpPhase phase, bool handed) => phase switch
    {
        SmtpPhase.Connect => "while connecting",
        SmtpPhase.Banner => "before the greeting",
        SmtpPhase.FinalDot when handed => MayBeAccepted,
        SmtpPhase.Content or SmtpPhase.FinalDot => "while the message was sent; it has not been accepted",
        _ => $"at {Command(phase)}",
    };

    static string Command(SmtpPhase phase) => phase switch
    {
        SmtpPhase.Ehlo => "EHLO",
        SmtpPhase.StartTls => "STARTTLS",
        SmtpPhase.Auth => "AUTH",
        SmtpPhase.Rset => "RSET",
        SmtpPhase.Mail => "MAIL FROM",
        SmtpPhase.Rcpt => "RCPT TO",
        SmtpPhase.Data => "DATA",
        SmtpPhase.Quit => "QUIT",
        _ => phase.ToString(),
    };
}
