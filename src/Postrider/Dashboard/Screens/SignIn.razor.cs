using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>Shown to whoever is not signed in, whatever was asked for; leads there afterwards.</summary>
sealed partial class SignIn
{
    bool _hasAdministrator;
    Problem? _problem;

    [Inject]
    Users Users { get; set; } = null!;

    [Inject]
    Sessions Sessions { get; set; } = null!;

    [Inject]
    SignInLog Log { get; set; } = null!;

    [CascadingParameter]
    HttpContext Context { get; set; } = null!;

    [SupplyParameterFromForm(FormName = "sign-in")]
    SignInForm? Form { get; set; }

    protected override async Task OnInitializedAsync() => _hasAdministrator = await Users.HasAdministratorAsync(Context.RequestAborted);

    async Task SignInAsync()
    {
        var source = Context.Connection.RemoteIpAddress?.ToString();
        var result = await Users.SignInAsync(Form?.Name ?? "", Form?.Password ?? "", source ?? "", Context.RequestAborted);
        await Log.NoteAsync(SignInLog.SignIn, Form?.Name ?? "", result, source, Context.RequestAborted);
        _problem = await SignInBrowser.AnswerAsync(Context, Sessions, result);
    }

    /// <summary>What was typed.</summary>
    public sealed class SignInForm
    {
        public string? Name { get; set; }
        public string? Password { get; set; }
    }
}

/// <summary>Lets a browser in.</summary>
static class SignInBrowser
{
    /// <summary>Who is let in gets a session and goes on; else what is wrong, with its status.</summary>
    public static async Task<Problem?> AnswerAsync(HttpContext context, Sessions sessions, UserResult result)
    {
        if (result.User is not { } user)
        {
            context.Response.StatusCode = result.Problem!.Status;
            return result.Problem;
        }
        var secret = await sessions.BeginAsync(user, context.Connection.RemoteIpAddress?.ToString(), context.Request.Headers.UserAgent);
        // A day longer than the session: whoever comes back with it is told that it has ended.
        SessionCookie.Write(context, secret, Sessions.Longest + TimeSpan.FromDays(1));
        Continue(context);
        return null;
    }

    /// <summary>To what was asked for before the form was shown.</summary>
    public static void Continue(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status303SeeOther;
        context.Response.Headers.Location = SessionGate.WantedOf(context);
    }
}
