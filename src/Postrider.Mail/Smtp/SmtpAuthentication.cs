using System.Text;

namespace Postrider.Mail.Smtp;

/// <summary>The AUTH exchange (RFC 4954). Whether the connection is safe enough for it was decided before.</summary>
sealed class SmtpAuthentication(SmtpChannel channel, TimeSpan limit)
{
    // RFC 4954 §4: the longest command line with an initial response.
    const int MaxLineBytes = 12288;

    static readonly SmtpAuthMechanism[] Preferred = [SmtpAuthMechanism.Plain, SmtpAuthMechanism.Login, SmtpAuthMechanism.XOAuth2];

    public async ValueTask RunAsync(SmtpCredentials credentials, IReadOnlyList<string> offered, CancellationToken ct)
    {
        var reply = Choose(credentials, offered) switch
        {
            SmtpAuthMechanism.Plain => await StepAsync("PLAIN", Base64($"\0{credentials.User}\0{credentials.Password}")),
            SmtpAuthMechanism.Login => await LoginAsync(credentials),
            SmtpAuthMechanism.XOAuth2 => await XOAuth2Async(credentials, ct),
        };
        if (reply.IsPositive)
            return;
        var kind = reply.IsClosing ? SmtpFailureKind.ServiceClosing
            : reply.IsTransient || reply.IsPermanent ? SmtpFailureKind.AuthRefused
            : SmtpFailureKind.Protocol;
        throw new SmtpChannelException(SmtpPhase.Auth, kind, reply.ToString()) { Reply = reply };
    }

    static SmtpAuthMechanism Choose(SmtpCredentials credentials, IReadOnlyList<string> offered)
    {
        foreach (var mechanism in Preferred)
        {
            var isWanted = credentials.Mechanism is { } only ? only == mechanism : mechanism != SmtpAuthMechanism.XOAuth2;
            if (isWanted && offered.Contains(Name(mechanism)))
                return mechanism;
        }
        var has = offered is [] ? "no AUTH at all" : string.Join(' ', offered);
        var wants = credentials.Mechanism is { } wanted ? Name(wanted) : "PLAIN or LOGIN";
        throw new SmtpChannelException(SmtpPhase.Auth, SmtpFailureKind.AuthUnavailable, $"the server offers {has}, we need {wants}");
    }

    static string Name(SmtpAuthMechanism mechanism) => mechanism switch
    {
        SmtpAuthMechanism.Plain => "PLAIN",
        SmtpAuthMechanism.Login => "LOGIN",
        SmtpAuthMechanism.XOAuth2 => "XOAUTH2",
    };

    async ValueTask<SmtpReply> LoginAsync(SmtpCredentials credentials)
    {
        var reply = await AskAsync("AUTH LOGIN");
        if (reply.Code == 334)
            reply = await AskAsync(Base64(credentials.User));
        if (reply.Code == 334)
            reply = await AskAsync(Base64(credentials.Password ?? ""));
        return reply;
    }

    async ValueTask<SmtpReply> XOAuth2Async(SmtpCredentials credentials, CancellationToken ct)
    {
        var token = credentials.AccessToken is { } source ? await source(ct) : credentials.Password;
        var reply = await StepAsync("XOAUTH2", Base64($"user={credentials.User}\u0001auth=Bearer {token}\u0001\u0001"));
        // A second 334 carries the error as JSON; an empty answer fetches the 535 that ends it.
        return reply.Code == 334 ? await AskAsync("") : reply;
    }

    /// <summary>
    /// The response goes with the command, or after a 334 when it is too long for one line or the server asks for it again.
    /// </summary>
    async ValueTask<SmtpReply> StepAsync(string mechanism, string response)
    {
        var command = $"AUTH {mechanism} {response}";
        if (command.Length + 2 <= MaxLineBytes)
        {
            var reply = await AskAsync(command);
            return reply.Code == 334 && mechanism == "PLAIN" ? await AskAsync(response) : reply;
        }
        var asked = await AskAsync($"AUTH {mechanism}");
        return asked.Code == 334 ? await AskAsync(response) : asked;
    }

    async ValueTask<SmtpReply> AskAsync(string line)
    {
        Encoding.ASCII.GetBytes(line + "\r\n", channel.Output);
        await channel.FlushAsync(SmtpPhase.Auth, limit);
        return await channel.ReadReplyAsync(SmtpPhase.Auth, limit);
    }

    static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
