namespace Postrider.Testing;

/// <summary>Waits for what comes by itself, for as long as a slow machine may need. What does not come is a
/// <see cref="TimeoutException"/>.</summary>
public static class Eventually
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(5);

    public static Task HoldsAsync(Func<bool> condition, TimeSpan? within = null) =>
        HoldsAsync(() => Task.FromResult(condition()), within);

    public static Task HoldsAsync(Func<Task<bool>> condition, TimeSpan? within = null) =>
        GetAsync(condition, static holds => holds, within);

    /// <summary>The first answer that is as wanted.</summary>
    public static async Task<T> GetAsync<T>(Func<Task<T>> ask, Func<T, bool> isWanted, TimeSpan? within = null)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var answer = await ask();
            if (isWanted(answer))
                return answer;
            if (TimeProvider.System.GetElapsedTime(started) > (within ?? Patience))
                throw new TimeoutException($"It did not come to be; the last answer was: {answer}");
            await Task.Delay(LookAgain, TimeProvider.System);
        }
    }
}
