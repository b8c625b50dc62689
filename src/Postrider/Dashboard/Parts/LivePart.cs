using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Messages;

namespace Postrider.Dashboard.Parts;

/// <summary>What shows something of the store and keeps it fresh while it is looked at: reads when it is first drawn, on the server, and
/// then again and again. A fault of the storage is shown in place, and goes when the storage is back.</summary>
public abstract class LivePart : ComponentBase, IDisposable
{
    readonly CancellationTokenSource _closed = new();

    [Inject]
    private protected Viewer Viewer { get; set; } = null!;

    [Inject]
    protected TimeProvider Clock { get; set; } = null!;

    [Inject]
    protected NavigationManager Pages { get; set; } = null!;

    /// <summary>Null: what is shown is what is.</summary>
    internal Problem? Fault { get; private set; }

    /// <summary>False until it was read once.</summary>
    protected bool IsRead { get; private set; }

    /// <summary>Time between two readings; zero: once is enough.</summary>
    protected virtual TimeSpan Every => TimeSpan.FromSeconds(3);

    /// <summary>Reads what is shown, of the viewer's tenant.</summary>
    protected abstract Task ReadAsync(CancellationToken ct);

    protected override Task OnParametersSetAsync() => LookAsync();

    protected override void OnAfterRender(bool firstRender)
    {
        if (firstRender && Every > TimeSpan.Zero)
            _ = FollowAsync();
    }

    /// <summary>Reads now.</summary>
    protected Task LookAsync() => LookAsync(ReadAsync);

    /// <summary>Reads something else; a fault of the storage is shown in the same place.</summary>
    protected async Task LookAsync(Func<CancellationToken, Task> read)
    {
        try
        {
            await read(_closed.Token);
            (Fault, IsRead) = (null, true);
        }
        catch (Exception fault) when (StoreFaults.Explain(fault) is { } explained)
        {
            Fault = explained;
        }
        catch (OperationCanceledException) when (_closed.IsCancellationRequested)
        {
            // Nobody looks any more.
        }
    }

    async Task FollowAsync()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(_closed.Token, Viewer.Ended);
        try
        {
            while (true)
            {
                await Task.Delay(Every, Clock, stop.Token);
                await InvokeAsync(async () =>
                {
                    await LookAsync();
                    StateHasChanged();
                });
            }
        }
        catch (OperationCanceledException)
        {
            // The page was left, or its session has ended.
        }
        catch (ObjectDisposedException)
        {
            // The page was left in between.
        }
        catch (Exception bug)
        {
            await DispatchExceptionAsync(bug);
        }
    }

    public void Dispose()
    {
        _closed.Cancel();
        _closed.Dispose();
        GC.SuppressFinalize(this);
    }
}
