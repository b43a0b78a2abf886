import { expect, test } from 'vitest';
import { Clock } from '../../src/rtmp-udp/clock';

function answer(id: number, asked: number, came: number) {
  return { id, asked, came, answered: came + 0.1 };
}

test('the shortest round trip knows best', () => {
  const clock = new Clock(0);
  expect(clock.pollQuestion(0)).toBe(1);
  expect(clock.offset).toBeNull();
  // There it is one second later; 20 ms each way, then 20 there and 180 back.
  clock.handleResponse(answer(1, 1, 1021), 41.1);
  expect(clock.offset).toBeCloseTo(1000);
  clock.handleResponse(answer(1, 50, 1070), 250.1);
  expect(clock.offset).toBeCloseTo(1000);
  clock.handleResponse(answer(1, 31_100, 33_120), 31_140.1);
  expect(clock.offset, 'the old ones are forgotten').toBeCloseTo(2000);
});

test('it asks five times and then seldom', () => {
  const clock = new Clock(0);
  const asked = [];
  for (let ms = 0; ms < 30_000; ms += 100) if (clock.pollQuestion(ms) !== null) asked.push(ms);
  expect(asked).toEqual([0, 200, 400, 600, 800, 5800, 10_800, 15_800, 20_800, 25_800]);
});

test('answers that cannot be change nothing', () => {
  const clock = new Clock(100_000);
  clock.pollQuestion(100_000);
  for (const [response, now] of [
    [answer(1, 100_500, 600), 100_400],
    [answer(2, 100_500, 600), 100_900],
    [{ id: 1, asked: 100_500, came: 700, answered: 600 }, 100_900],
    [{ id: 1, asked: 100_500, came: 600, answered: 1100 }, 100_900],
    [answer(1, 0, 600), 100_900],
    [answer(1, 100_500, 1.8e16), 100_900],
  ] as const) {
    clock.handleResponse(response, now);
    expect(clock.offset, JSON.stringify(response)).toBeNull();
  }
});
