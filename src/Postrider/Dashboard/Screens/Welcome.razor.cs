using Microsoft.AspNetCore.Components;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>Where a link leads: to a password, and for the first administrator to a name.</summary>
sealed partial class Welcome
{
    (UserLink Link, User? User)? _opened;
    Problem? _problem;

    [Inject]
    Users Users { get; set; } = null!;

    [Inject]
    Sessions Sessions { get; set; } = null!;

    [Inject]
    SignInLog Log { get; set; } = null!;

    [CascadingParameter]
    HttpContext Context { get; set; } = null!;

    [SupplyParameterFromQuery(Name = "link")]
    string? Link { get; set; }

    [SupplyParameterFromForm(FormName = "welcome")]
    WelcomeForm? Form { get; set; }

    protected override async Task OnInitializedAsync() => _opened = await Users.OpenAsync(Link ?? "", Context.RequestAborted);

    async Task ChooseAsync()
    {
        var result = await Users.ChoosePasswordAsync(Link ?? "", Form?.Name ?? "", Form?.Password ?? "", Context.RequestAborted);
        await Log.NoteAsync(SignInLog.Welcome, "", result, Context.Connection.RemoteIpAddress?.ToString(), Context.RequestAborted);
        _problem = await SignInBrowser.AnswerAsync(Context, Sessions, result);
    }

    /// <summary>What was typed.</summary>
    public sealed class WelcomeForm
    {
        public string? Name { get; set; }
        public string? Password { get; set; }
    }
}
