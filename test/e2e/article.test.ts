// The article's promises on one real cluster that the suite brings up and takes down: real containers, real kubectl, real psql.
// The order is part of it: what breaks things comes after what only looks.
import { after, afterEach, before, describe } from 'node:test';
import { Article } from './article/article.ts';
import { stackTests } from './article/01-stack.ts';
import { addressTests } from './article/02-addresses.ts';
import { laptopTests } from './article/03-laptop.ts';
import { policyTests } from './article/04-policy.ts';
import { failureTests } from './article/05-failures.ts';
import { rolloutTests } from './article/06-rollout.ts';
import { imageTests } from './article/07-images.ts';

describe('the article’s cluster', { timeout: 600_000 }, () => {
  const article = new Article();
  let failed = false;

  before(async () => {
    failed = true;
    await article.begin();
    failed = false;
  });
  afterEach((context) => {
    if ('passed' in context && context.passed === false) failed = true;
  });
  after(async () => {
    if (failed) process.stderr.write(`${await article.cluster.explain()}\n`);
    await article.end();
  });

  stackTests(article);
  imageTests(article);
  addressTests(article);
  laptopTests(article);
  policyTests(article);
  failureTests(article);
  rolloutTests(article);
});
