using Postrider.Doctor;
using Postrider.Hosting.Examining;

namespace Postrider.Api;

/// <summary><c>/doctor</c>: what is wrong with the installation, and what to do about it.</summary>
static class DoctorEndpoints
{
    public static void MapDoctor(this IEndpointRouteBuilder app) =>
        app.MapGet("/doctor", async (HttpContext context, CancellationToken ct) =>
            ApiJson.Answer(DoctorAnswer.Of(await Examination.OfServerAsync(context.RequestServices, ct)))).For(Access.Installation)
            .Answers<DoctorAnswer>(200)
            .Says("examine", "What is wrong with settings, files, disk, database, clocks, DNS, transports and nodes, and what to do about it. "
                + "Asks the DNS and connects to the providers, and changes nothing: it takes some seconds.");
}

/// <summary>Answer to <c>GET /doctor</c>.</summary>
/// <param name="Version">Of the program that looked.</param>
/// <param name="Findings">The worst first; empty: nothing is wrong.</param>
/// <param name="Checks">Everything that was asked.</param>
/// <param name="Unseen">What could not be looked at.</param>
sealed record DoctorAnswer(
    DateTimeOffset At, string Version, IReadOnlyList<FindingAnswer> Findings, IReadOnlyList<CheckAnswer> Checks,
    IReadOnlyList<UnseenAnswer> Unseen)
{
    public static DoctorAnswer Of(Examination examination) => new(
        examination.Facts.Now, examination.Facts.Version,
        [.. Check.Examine(examination.Facts).Select(FindingAnswer.Of)],
        [.. Check.All.Select(check => new CheckAnswer(check.Name, check.Question))],
        [.. examination.Unseen.Select(unseen => new UnseenAnswer(unseen.What, unseen.Why))]);
}

/// <summary>Something that is wrong.</summary>
/// <param name="Check">A name that stays, such as <c>disk.full</c>.</param>
/// <param name="Severity"><c>fault</c>: mail is refused, waits or is not safe; <c>warning</c>: it will be, or is not as meant.</param>
sealed record FindingAnswer(string Check, Severity Severity, string Found, string Remedy)
{
    public static FindingAnswer Of(Finding finding) => new(finding.Check, finding.Severity, finding.Found, finding.Remedy);
}

/// <summary>Something that was asked.</summary>
sealed record CheckAnswer(string Name, string Question);

/// <summary>Something that could not be looked at.</summary>
sealed record UnseenAnswer(string What, string Why);
